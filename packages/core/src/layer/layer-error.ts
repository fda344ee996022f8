import { UndockedError } from "@undocked/registry";

/** What is wrong with a layer that is read. */
export class LayerError extends UndockedError<"COMPRESSION_UNSUPPORTED" | "LAYER_INVALID"> {}
