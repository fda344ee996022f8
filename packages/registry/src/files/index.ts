export { checkWritable, destinationOf, writeNamedFile, type Destination } from "./destination.ts";
export { userHome } from "./home.ts";
export { makeDirectory, type MakeDirectoryOptions } from "./make-directory.ts";
export { placeNew } from "./place-new.ts";
export { readPlainFile } from "./plain-file.ts";
export { inScratch, scratchDirectory, writeScratch, type WritableFile } from "./scratch.ts";
export { writeWholeFile, type Durability, type WholeFileOptions } from "./whole-file.ts";
