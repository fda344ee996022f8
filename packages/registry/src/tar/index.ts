export { encodeTarHeader, tarEndSize, tarPadding } from "./encode.ts";
export * from "./header.ts";
export { beginsTar, readTar, type TarLimits } from "./read.ts";
export { writeTar } from "./write.ts";
