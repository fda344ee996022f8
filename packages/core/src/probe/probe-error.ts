import { UndockedError } from "@undocked/registry";

/** A probe that cannot be made here; what the program does wrong is in the result. */
export class ProbeError extends UndockedError<
  "PROBE_UNSUPPORTED" | "PROBE_COMMAND_MISSING" | "PROBE_PATH_INVALID"
> {}
