import { UndockedError } from "@undocked/registry";

/** What COPY, ADD and WORKDIR cannot do with the files that are there; BuildKit's words first. */
export class CopyError extends UndockedError<
  "COPY_CONFLICT" | "COPY_NAME_RESERVED" | "COPY_SOURCE_MISSING" | "OWNER_UNKNOWN"
> {}
