import type { Diagnostic, Platform } from "@undocked/registry";

/** Whether an image's command can start, and everything that says so. JSON. */
export interface Proof {
  /** Nothing was found that stops a start. */
  readonly ok: boolean;
  readonly platform: Platform;
  /** Entrypoint and Cmd; empty for an image that is only built upon. */
  readonly argv: readonly string[];
  /** Whom the program runs as. */
  readonly user: UserFacts;
  readonly workingDirectory: string;
  /** Every file that the kernel, the shell and the loader would open, in their order. */
  readonly steps: readonly ProofStep[];
  readonly findings: readonly Finding[];
}

/** Who the image's program runs as. */
export interface UserFacts {
  /** As the configuration says it; empty for none, which is root. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** All groups, the first one included. */
  readonly groups: readonly number[];
}

/** One thing that was found in order, or whose finding tells why it is not. */
export interface ProofStep {
  readonly kind: "program" | "script" | "interpreter" | "library" | "search" | "text";
  /** As it was asked for. */
  readonly path: string;
  /** Where that leads through links; absent if nowhere. */
  readonly file?: string;
  /** What was used: `0755 0:0, static-pie`. */
  readonly detail: string;
}

/** A fault, and how it was come to. */
export interface Finding extends Diagnostic {
  /** From the configuration to the file: `ENTRYPOINT ["/app.sh"]`, `/app.sh`, `/bin/bash`. */
  readonly chain: readonly string[];
}
