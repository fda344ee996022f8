import type { Platform } from "@undocked/registry";
import type { IgnoreMatcher } from "../dockerfile/ignore.ts";

/** What a plan depends on beside the text. */
export interface PlanOptions {
  /** `--build-arg`; an empty string counts as given. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Set at the end, over the Dockerfile's own. */
  readonly labels?: Readonly<Record<string, string>>;
  /** A stage's name in any case, or absent for the last stage. */
  readonly target?: string;
  /** `linux/amd64` unless given; when given, the result says so whatever its base says. */
  readonly platform?: Platform;
  /** Names that FROM and `--from` may use; what they are is the caller's matter. */
  readonly namedContexts?: readonly string[];
  /**
   * A text becomes the image's environment variable `ENTRYPOINT`, for a shell-form `$ENTRYPOINT` to use;
   * `override` replaces the entrypoint itself, a text being split into words as a shell does, and clears Cmd.
   */
  readonly entrypoint?: string | { readonly override: string | readonly string[] };
  /** What the build context leaves out, for the check CopyIgnoredFile. */
  readonly ignore?: IgnoreMatcher;
  /** Seconds; over the build argument SOURCE_DATE_EPOCH. */
  readonly sourceDateEpoch?: number;
}
