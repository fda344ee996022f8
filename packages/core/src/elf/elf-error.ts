import { UndockedError } from "@undocked/registry";

/** What is wrong with a file that begins as an ELF file does. */
export class ElfError extends UndockedError<
  | "ELF_DYNAMIC_INVALID"
  | "ELF_HEADER_INVALID"
  | "ELF_INTERPRETER_INVALID"
  | "ELF_NOT"
  | "ELF_PROGRAM_HEADERS_INVALID"
  | "ELF_TOO_LARGE"
  | "ELF_TRUNCATED"
  | "ELF_VERSIONS_INVALID"
> {}
