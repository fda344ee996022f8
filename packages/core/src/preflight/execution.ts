/** An execve. */
export interface Execution {
  /** As given; relative to the working directory. */
  readonly path: string;
  /** Behind argv[0]. */
  readonly args: readonly string[];
  readonly role: "program" | "interpreter";
  /** How many scripts led here. */
  readonly scripts: number;
  /** Who calls runs a text without `#!` by itself, as shells do. */
  readonly runsText: boolean;
}
