import type { Location } from "@undocked/registry";

/** What `# check=…` asks of the build checks. */
export interface CheckOptions {
  /** Names of rules, or `all`. */
  readonly skip: readonly string[] | "all";
  /** Rules that are off unless named here. */
  readonly experimental: readonly string[] | "all";
  /** Whether a warning refuses the build. */
  readonly error: boolean;
  /** Absent when the options did not come from a text. */
  readonly at?: Location;
}
