import { UndockedError } from "@undocked/registry";

/** What is wrong with the files that a build is given. */
export class ContextError extends UndockedError<
  | "CONTEXT_INVALID"
  | "FILE_CHANGED"
  | "FILE_KIND_UNSUPPORTED"
  | "FILE_UNREADABLE"
  | "MAPPING_INVALID"
  | "MAPPING_NOT_FOUND"
  | "SYMLINK_LOOP"
  | "SYMLINK_OUTSIDE"
> {}
