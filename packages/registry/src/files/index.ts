export { inScratch, scratchDirectory, writeScratch, type WritableFile } from "./scratch.ts";
export { writeWholeFile, type Durability, type WholeFileOptions } from "./whole-file.ts";
