/** A place in a text that somebody wrote. */
export interface Location {
  /** As the user named it: a path or `<text>`. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  /** The whole line, without its end. */
  readonly text?: string;
  /** How many units to underline, from `column`. */
  readonly length?: number;
}

/** One finding about the user's input. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: "error" | "warning";
  /** What is, with the values. */
  readonly message: string;
  readonly location?: Location;
  /** What to do, as an imperative. */
  readonly hint?: string;
}

/** What an error tells besides its code and message. */
export interface UndockedErrorOptions {
  readonly location?: Location;
  readonly hint?: string;
  readonly cause?: unknown;
  /** All faults found in the same input, when there are several; the error itself tells the first. */
  readonly diagnostics?: readonly Diagnostic[];
}

/** What this library throws on purpose. Anything else that it throws is a bug. */
export class UndockedError<Code extends string = string> extends Error {
  /** What programs match on; the README has the table. */
  readonly code: Code;
  readonly location?: Location;
  readonly hint?: string;
  readonly diagnostics?: readonly Diagnostic[];

  constructor(code: Code, message: string, options: UndockedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    if (options.location !== undefined) this.location = options.location;
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.diagnostics !== undefined) this.diagnostics = options.diagnostics;
  }
}

/** A text or document that does not have the form it should have. */
export class FormatError extends UndockedError<
  | "CONFIG_INVALID"
  | "DESCRIPTOR_INVALID"
  | "DIGEST_INVALID"
  | "LAYOUT_INVALID"
  | "MANIFEST_INVALID"
  | "PLATFORM_INVALID"
  | "REFERENCE_INVALID"
  | "TAR_INVALID"
> {}

/** Content that is missing, or is not what its descriptor says. */
export class ContentError extends UndockedError<
  "BLOB_UNKNOWN" | "DIGEST_MISMATCH" | "MANIFEST_UNKNOWN" | "PLATFORM_UNKNOWN" | "SIZE_MISMATCH"
> {}
