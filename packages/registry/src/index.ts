export * from "./errors.ts";
export * from "./oci/config.ts";
export type { Descriptor } from "./oci/descriptor.ts";
export * from "./oci/digest.ts";
export { encodeJson } from "./oci/json.ts";
export * from "./oci/manifest.ts";
export * from "./oci/media-type.ts";
export * from "./oci/platform.ts";
export {
  apiHost,
  familiarReference,
  formatReference,
  parseReference,
  referenceTarget,
  type Reference,
} from "./oci/reference.ts";
export { selectPlatform } from "./oci/select-platform.ts";
export * from "./store/store.ts";
export { contentOf, readAll, verified } from "./store/verify.ts";
export { memoryStore, type MemoryStore } from "./store/memory.ts";
