import { FormatError, parseReference, formatReference } from "@undocked/registry";
import semver from "semver";

/**
 * The references that a release gets: `1.4.2`, `1.4`, `1` and `latest`; of a version before its release, its own alone. Below 1.0.0
 * a minor version may break, so there is no `0`. Build metadata is not part of a tag, which has no `+`.
 *
 * @param repository - `registry.example/team/app`, without a tag
 * @param version - by semver.org's grammar; a `v` before it does no harm
 * @throws {FormatError} `REFERENCE_INVALID`
 */
export function versionTags(repository: string, version: string): string[] {
  const parsed = semver.parse(version);
  if (parsed === null) {
    throw new FormatError("REFERENCE_INVALID", `${JSON.stringify(version)} is not a version.`, {
      hint: "Write it as semver.org says, for example 1.4.2 or 2.0.0-rc.1.",
    });
  }
  const { tag, digest, ...name } = parseReference(repository);
  if (tag !== undefined || digest !== undefined) {
    throw new FormatError(
      "REFERENCE_INVALID",
      `${JSON.stringify(repository)} has a tag or a digest; the version gives the tags.`,
      {
        hint: "Write the repository alone.",
      },
    );
  }
  const { major, minor, prerelease } = parsed;
  const released =
    prerelease.length === 0 ? [`${major}.${minor}`, ...(major > 0 ? [String(major)] : []), "latest"] : [];
  return [parsed.version, ...released].map((tag) => formatReference({ ...name, tag }));
}
