import { UndockedError, type Diagnostic } from "@undocked/registry";
import { BuildError } from "./faults.ts";

/** What was found for one platform. */
export interface PlatformFindings {
  /** `os/architecture[/variant]` */
  readonly platform: string;
  readonly found: readonly Diagnostic[];
}

/**
 * The findings of several platforms as those of one build, each once and with the platforms that it is about. Of one platform
 * alone they stay as they are.
 *
 * @param common - whether what was found for all platforms names them, too
 */
export function mergeFindings(
  findings: readonly PlatformFindings[],
  common: "plain" | "named",
): readonly Diagnostic[] {
  const [only, ...others] = findings;
  if (only === undefined || others.length === 0) return only?.found ?? [];
  const merged = new Map<string, { readonly finding: Diagnostic; readonly platforms: Set<string> }>();
  for (const { platform, found } of findings) {
    for (const finding of found) {
      const key = JSON.stringify(finding);
      const known = merged.get(key) ?? { finding, platforms: new Set() };
      known.platforms.add(platform);
      merged.set(key, known);
    }
  }
  return [...merged.values()].map(({ finding, platforms }) =>
    common === "plain" && platforms.size === findings.length
      ? finding
      : { ...finding, message: `${[...platforms].join(", ")}: ${finding.message}` },
  );
}

/** Runs what is done for one of several platforms: what it refuses names the platform. `undefined`: there is but one. */
export async function forPlatform<T>(platform: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (platform === undefined || !(error instanceof UndockedError)) throw error;
    const named = (message: string): string => `${platform}: ${message}`;
    const { code, message, location, hint, diagnostics } = error;
    throw new BuildError(code, named(message), {
      ...(location === undefined ? {} : { location }),
      ...(hint === undefined ? {} : { hint }),
      ...(diagnostics === undefined
        ? {}
        : { diagnostics: diagnostics.map((each) => ({ ...each, message: named(each.message) })) }),
      cause: error,
    });
  }
}
