import type { Cause, Trial } from "./trial.ts";

/** An execve. */
export interface Execution {
  /** As given; relative to the working directory. */
  readonly path: string;
  /** Behind argv[0]. */
  readonly args: readonly string[];
  readonly role: "program" | "interpreter";
  /** How many scripts led here. */
  readonly scripts: number;
  /**
   * Whether the caller has a shell read what the kernel does not know (ENOEXEC): `always`, as shells do themselves; `perhaps`, as
   * glibc's execvp does and musl's does not.
   */
  readonly runsText: "always" | "perhaps" | "never";
}

/** A program that a program starts, as far as its arguments say so. */
export interface Delegate {
  /** As another user, perhaps. */
  readonly trial: Trial;
  readonly cause: Cause;
  readonly execution: Execution;
}
