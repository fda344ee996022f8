import { ContentError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Index } from "./manifest.ts";
import { formatPlatform, normalizePlatform, type Platform } from "./platform.ts";

/**
 * The manifest of an index that is for a platform: the wanted variant, else the nearest one below it, which the same machine
 * runs too (arm/v7 takes v6, amd64/v3 takes amd64). Attestations, whose platform is `unknown/unknown`, are no candidates.
 *
 * @throws {ContentError} `PLATFORM_UNKNOWN`, listing what is offered
 */
export function selectPlatform(index: Index, wanted: Platform): Descriptor {
  const offered = index.manifests.flatMap((descriptor) => {
    const { platform } = descriptor;
    const attestation =
      platform === undefined || platform.os === "unknown" || platform.architecture === "unknown";
    return attestation ? [] : [{ descriptor, platform: normalizePlatform(platform) }];
  });
  const { os, architecture, variant } = normalizePlatform(wanted);
  const candidates = offered.filter(
    ({ platform }) => platform.os === os && platform.architecture === architecture,
  );
  for (const acceptable of variantsFrom(architecture, variant)) {
    const found = candidates.find(({ platform }) => platform.variant === acceptable);
    if (found !== undefined) return found.descriptor;
  }
  const list = [...new Set(offered.map(({ platform }) => formatPlatform(platform)))].join(", ");
  throw new ContentError(
    "PLATFORM_UNKNOWN",
    `The image is not for ${formatPlatform(wanted)}; it is for ${list || "no platform that it names"}.`,
    {
      hint: "Ask for one of the platforms that it is for, or take another base image.",
    },
  );
}

/** Best first. */
function variantsFrom(architecture: string, variant: string | undefined): readonly (string | undefined)[] {
  const level = Number(/^v(\d{1,2})$/.exec(variant ?? "")?.[1] ?? Number.NaN);
  const lowest = architecture === "arm" ? 5 : 2;
  if (Number.isNaN(level) || architecture === "arm64") return [variant];
  const levels = Array.from({ length: Math.max(0, level - lowest + 1) }, (_, step) => `v${level - step}`);
  return architecture === "amd64" ? [...levels, undefined] : levels;
}
