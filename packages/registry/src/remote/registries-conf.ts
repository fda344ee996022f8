import { z } from "zod";
import { invalidHostConfig, parseToml } from "./toml.ts";

/** A `[[registry]]` of containers-registries.conf(5), version 2. */
export interface RegistryEntry {
  /** `host[:port][/path]`, or `*.domain`. */
  readonly prefix: string;
  readonly location: string;
  readonly blocked: boolean;
  readonly insecure: boolean;
  readonly mirrors: readonly MirrorEntry[];
}

export interface MirrorEntry {
  readonly location: string;
  readonly insecure: boolean;
  readonly pulls: "all" | "digest-only" | "tag-only";
}

const flag = z.boolean().optional().default(false);
const registry = z.object({
  prefix: z.string().optional(),
  location: z.string().optional(),
  blocked: flag,
  insecure: flag,
  "mirror-by-digest-only": flag,
  mirror: z
    .array(
      z.object({
        location: z.string(),
        insecure: flag,
        "pull-from-mirror": z.enum(["all", "digest-only", "tag-only"]).optional(),
      }),
    )
    .optional()
    .default([]),
});
// Version 1 had tables of this name.
const schema = z.object({ registry: z.array(registry).optional().default([]) });

/** @throws {RegistryError} `HOST_CONFIG_INVALID` */
export function parseRegistriesConf(text: string, name: string): readonly RegistryEntry[] {
  const parsed = schema.safeParse(parseToml(text, name));
  if (!parsed.success)
    throw invalidHostConfig(name, "does not have the form of a registries.conf of version 2");
  return parsed.data.registry.map((it): RegistryEntry => {
    const location = it.location ?? "";
    const prefix = it.prefix ?? location;
    const wildcard = prefix.startsWith("*.");
    const places = [wildcard ? prefix.slice(2) : prefix, ...it.mirror.map((mirror) => mirror.location)];
    if (!places.every(isLocation) || (location !== "" && !isLocation(location))) {
      throw invalidHostConfig(name, "has a prefix or a location that is none");
    }
    const pulls = it["mirror-by-digest-only"] ? "digest-only" : "all";
    return {
      prefix,
      location,
      blocked: it.blocked,
      insecure: it.insecure,
      mirrors: it.mirror.map((mirror) => ({
        location: mirror.location,
        insecure: mirror.insecure,
        pulls: mirror["pull-from-mirror"] ?? pulls,
      })),
    };
  });
}

function isLocation(text: string): boolean {
  return /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:\/[a-z0-9._-]+)*$/.test(
    text,
  );
}

/** The entry with the longest prefix that `host/path` begins with. */
export function entryFor(entries: readonly RegistryEntry[], name: string): RegistryEntry | undefined {
  const fitting = entries.filter(({ prefix }) => matched(prefix, name) !== undefined);
  return fitting.toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
}

/** What of a name its prefix takes up. */
function matched(prefix: string, name: string): string | undefined {
  if (prefix.startsWith("*.")) {
    const host = name.split("/", 1)[0] ?? "";
    return host.replace(/:\d+$/, "").endsWith(prefix.slice(1)) ? host : undefined;
  }
  return name === prefix || name.startsWith(`${prefix}/`) ? prefix : undefined;
}

/** The name that stands for another at a location. */
export function relocated(entry: RegistryEntry, location: string, name: string): string {
  return `${location}${name.slice((matched(entry.prefix, name) ?? "").length)}`;
}
