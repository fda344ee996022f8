/** What a command may touch of its process. */
export interface Io {
  readonly stdout: { write(text: string | Uint8Array): unknown; readonly isTTY?: boolean };
  /** For secrets, which are in no command line, and a Dockerfile. Default: nothing. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  /** What relative paths start at. Asked for when one is to be resolved. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A command: its exit code is 0, or 1 for something refused. A wrong command line throws `UsageError`. */
export type Command = (argv: readonly string[], io: Io, signal: AbortSignal) => Promise<number>;
