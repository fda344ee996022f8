/** The oldest Node that has what the packages import, as `engines` of their package.json says. */
export const OLDEST_NODE = "20.19";

/**
 * Why nothing is done on this version of Node; `undefined` if it is new enough. An older one lacks exports that the packages import
 * by name, and would end with a stack trace.
 */
export function nodeRefusal(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE.split(".").map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `undocked needs Node ${OLDEST_NODE} or newer; this is ${version}.`;
}

/** Of Node alone, by its major version: Bun and Deno, which say they are Node, have settings of their own. */
export function nodeMajor(versions: NodeJS.ProcessVersions): number | undefined {
  return "bun" in versions || "deno" in versions ? undefined : Number.parseInt(versions.node, 10);
}
