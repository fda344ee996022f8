export { writeWholeFile, type Durability, type WholeFileOptions } from "./whole-file.ts";
