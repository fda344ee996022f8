import { readTextFile } from "../auth/stored-credentials.ts";
import { isDockerHub } from "../oci/reference.ts";
import type { RepositoryName } from "./context.ts";
import type { ConfiguredOptions } from "./client-certificate.ts";
import type { HostOptions } from "./endpoint.ts";
import { readHostDirectory, type ConfiguredHost, type HostDirectory } from "./host-directory.ts";
import { everyCapability, type MirrorCapability } from "./hosts-toml.ts";
import { entryFor, parseRegistriesConf, relocated, type RegistryEntry } from "./registries-conf.ts";
import { RegistryError } from "./registry-error.ts";
import { invalidHostConfig } from "./toml.ts";

/** A host that has a copy of a registry's content. */
export interface MirrorOptions extends HostOptions {
  /** `https://host[:port][/path]`; `/v2` is added. */
  readonly url: string;
  /** Takes its word for what a tag stands for, too. Default: it is asked by digest alone, which cannot be forged. */
  readonly tags?: "resolve" | "never";
}

export interface MirrorSources {
  /** By registry host. */
  readonly mirrors?: Readonly<Record<string, readonly MirrorOptions[]>>;
  readonly hostDirectories?: readonly string[];
  readonly registriesFiles?: readonly string[];
}

/** Where a repository can be read besides at its registry. */
export interface Mirror {
  /** The canonical host. */
  readonly registry: string;
  /** Of its API, with its `/v2`; where it is not known, it is found as a registry's is. */
  readonly url?: string;
  /** Its path there. */
  readonly repository: string;
  readonly capabilities: readonly MirrorCapability[];
  readonly options: ConfiguredOptions;
}

export interface MirrorPlan {
  /** In the order to ask them. */
  readonly mirrors: readonly Mirror[];
  /** What the registry itself is asked for, after them. */
  readonly upstream: readonly MirrorCapability[];
}

/** Reads the configurations once each, and gives what they say. */
export interface MirrorMap {
  plan(name: RepositoryName): Promise<MirrorPlan>;
  /** For the registry's own host. */
  hostOptions(registry: string): Promise<ConfiguredOptions>;
}

export function mirrorMap(sources: MirrorSources): MirrorMap {
  const { mirrors = {}, hostDirectories = [], registriesFiles = [] } = sources;
  const directories = new Map<string, Promise<HostDirectory>>();
  let entries: Promise<readonly RegistryEntry[]> | undefined;
  const directoriesOf = (registry: string): Promise<HostDirectory> => {
    const known = directories.get(registry) ?? readAllOf(hostDirectories, registry);
    directories.set(registry, known);
    return known;
  };
  return {
    async plan(name) {
      const { registry, repository } = name;
      entries ??= readEntries(registriesFiles);
      const entry = entryFor(await entries, `${registry}/${repository}`);
      if (entry?.blocked === true) throw blocked(name);
      const { hosts } = await directoriesOf(registry);
      const relocation = entry === undefined ? [] : relocations(entry, name);
      return {
        mirrors: [
          ...(Object.hasOwn(mirrors, registry) ? (mirrors[registry] ?? []) : []).map((it) =>
            given(it, repository),
          ),
          ...hosts
            .filter(({ url }) => !isOwn(url, registry))
            .map((it) => ({ ...it, registry: new URL(it.url).host, repository })),
          ...relocation,
        ],
        // Another place in the registry's stead is one to read from.
        upstream:
          entry !== undefined && isElsewhere(entry)
            ? ["push"]
            : (ownOf(hosts, registry)?.capabilities ?? everyCapability),
      };
    },
    async hostOptions(registry) {
      const { options, hosts } = await directoriesOf(registry);
      return { ...options, ...ownOf(hosts, registry)?.options };
    },
  };
}

async function readAllOf(roots: readonly string[], registry: string): Promise<HostDirectory> {
  const found = await Promise.all(roots.map((root) => readHostDirectory(root, registry)));
  const options: ConfiguredOptions = Object.assign({}, ...found.map((it) => it.options));
  return { options, hosts: found.flatMap(({ hosts }) => hosts) };
}

async function readEntries(files: readonly string[]): Promise<readonly RegistryEntry[]> {
  const read = await Promise.all(
    files.map(async (path) => {
      const text = await readTextFile(path);
      if (text === undefined) throw invalidHostConfig(path, "is named and is not there");
      return parseRegistriesConf(text, path);
    }),
  );
  return read.flat();
}

function given({ url, tags = "never", ...options }: MirrorOptions, repository: string): Mirror {
  return {
    registry: new URL(url).host,
    url: `${url.replace(/\/+$/, "").replace(/\/v2$/, "")}/v2`,
    repository,
    capabilities: tags === "resolve" ? ["pull", "resolve"] : ["pull"],
    options,
  };
}

function ownOf(hosts: readonly ConfiguredHost[], registry: string): ConfiguredHost | undefined {
  return hosts.find(({ url }) => isOwn(url, registry));
}

function isOwn(url: string, registry: string): boolean {
  const { host } = new URL(url);
  return host === registry || (isDockerHub(host) && isDockerHub(registry));
}

function isElsewhere({ prefix, location }: RegistryEntry): boolean {
  return location !== "" && location !== prefix;
}

function relocations(entry: RegistryEntry, { registry, repository }: RepositoryName): readonly Mirror[] {
  const name = `${registry}/${repository}`;
  const mirrors = entry.mirrors.map(({ location, insecure, pulls }): Mirror => {
    const capabilities: readonly MirrorCapability[] =
      pulls === "all" ? ["pull", "resolve"] : pulls === "tag-only" ? ["resolve"] : ["pull"];
    return placeOf(relocated(entry, location, name), insecure, capabilities);
  });
  return isElsewhere(entry)
    ? [...mirrors, placeOf(relocated(entry, entry.location, name), entry.insecure, ["pull", "resolve"])]
    : mirrors;
}

function placeOf(name: string, insecure: boolean, capabilities: readonly MirrorCapability[]): Mirror {
  const slash = name.indexOf("/");
  const host = slash < 0 ? name : name.slice(0, slash);
  return {
    registry: host,
    repository: slash < 0 ? "" : name.slice(slash + 1),
    capabilities,
    options: insecure ? { insecure: true } : {},
  };
}

function blocked({ registry, repository }: RepositoryName): RegistryError {
  return new RegistryError("DENIED", `${registry}/${repository} is blocked by a registries.conf.`, {
    hint: "Take the entry's `blocked` out, or use another registry.",
  });
}
