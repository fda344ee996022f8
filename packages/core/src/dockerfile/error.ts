import { UndockedError, type Diagnostic, type Location } from "@undocked/registry";

/** What is wrong with a Dockerfile. */
export type DockerfileErrorCode =
  /** The text is not a Dockerfile. */
  | "DOCKERFILE_SYNTAX"
  /** What it asks for has no meaning. */
  | "DOCKERFILE_INVALID"
  /** What it asks for needs a kernel, or a program that is not here. */
  | "DOCKERFILE_UNSUPPORTED"
  /** `# check=error=true`, and a check has warned. */
  | "DOCKERFILE_CHECK";

/** The faults of a Dockerfile: all that were found are in `diagnostics`, the error itself tells the first. */
export class DockerfileError extends UndockedError<DockerfileErrorCode> {}

/** A fault of a Dockerfile before it is thrown with the others. */
export interface Fault extends Diagnostic {
  readonly code: DockerfileErrorCode;
  readonly severity: "error";
}

/** A fault of one word: without a place, which whoever knows it adds. */
export class WordError extends DockerfileError {
  /** The text to underline, if it stands in the line as it is. */
  readonly part: string | undefined;

  constructor(message: string, hint?: string, part?: string) {
    super("DOCKERFILE_INVALID", message, hint === undefined ? {} : { hint });
    this.part = part;
  }
}

/** The same line with only `part` underlined, where the line has it. */
export function narrow(location: Location, part: string | undefined): Location {
  const at = part === undefined || part === "" ? -1 : (location.text?.indexOf(part) ?? -1);
  if (at < 0 || part === undefined || part.includes("\n")) return location;
  return { ...location, column: at + 1, length: part.length };
}

/** Throws all faults in one error, or does nothing when there are none. */
export function throwFaults(faults: readonly Fault[]): void {
  const [first] = faults;
  if (first === undefined) return;
  const { code, message, location, hint } = first;
  throw new DockerfileError(code, message, {
    ...(location === undefined ? {} : { location }),
    ...(hint === undefined ? {} : { hint }),
    diagnostics: faults,
  });
}

export function fault(
  code: DockerfileErrorCode,
  message: string,
  location: Location | undefined,
  hint?: string,
): Fault {
  return {
    code,
    severity: "error",
    message,
    ...(location === undefined ? {} : { location }),
    ...(hint === undefined ? {} : { hint }),
  };
}
