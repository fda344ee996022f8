import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readTextFile } from "../auth/stored-credentials.ts";
import type { HostOptions } from "./endpoint.ts";
import { parseHostsToml, type HostEntry, type MirrorCapability } from "./hosts-toml.ts";
import { invalidHostConfig } from "./toml.ts";

/** A host that content can be read from, ready to be asked. */
export interface ConfiguredHost {
  /** Of the API: with its `/v2`. */
  readonly url: string;
  readonly capabilities: readonly MirrorCapability[];
  readonly options: HostOptions;
}

/** What a directory such as `/etc/docker/certs.d` or `/etc/containerd/certs.d` says of a registry. */
export interface HostDirectory {
  /** For the registry itself: docker's `*.crt`, and `*.cert` with `*.key`. */
  readonly options: HostOptions;
  /** Of containerd's `hosts.toml`, in its order. */
  readonly hosts: readonly ConfiguredHost[];
}

/** @throws {RegistryError} `HOST_CONFIG_INVALID` */
export async function readHostDirectory(root: string, registry: string): Promise<HostDirectory> {
  // containerd's way to write a port where a file system has no colons, and its directory for all others.
  const names = [registry, registry.replace(/:(\d+)$/, "_$1_"), "_default"];
  for (const name of new Set(names)) {
    const directory = join(root, name);
    const files = await readdir(directory).catch(() => undefined);
    if (files === undefined) continue;
    return { options: await dockerFiles(directory, files.toSorted()), hosts: await hostsFile(directory) };
  }
  return { options: {}, hosts: [] };
}

async function dockerFiles(directory: string, files: readonly string[]): Promise<HostOptions> {
  const read = (name: string): Promise<string> => readPem(join(directory, name));
  const ca = await Promise.all(files.filter((name) => name.endsWith(".crt")).map(read));
  const cert = files.find((name) => name.endsWith(".cert"));
  if (cert === undefined) return ca.length === 0 ? {} : { ca };
  const key = cert.replace(/\.cert$/, ".key");
  return { ...(ca.length === 0 ? {} : { ca }), cert: await read(cert), key: await read(key) };
}

async function hostsFile(directory: string): Promise<readonly ConfiguredHost[]> {
  const path = join(directory, "hosts.toml");
  const text = await readTextFile(path);
  if (text === undefined) return [];
  return await Promise.all(
    parseHostsToml(text, path).map(async (entry) => ({
      url: entry.url,
      capabilities: entry.capabilities,
      options: await optionsOf(entry, directory),
    })),
  );
}

async function optionsOf(entry: HostEntry, directory: string): Promise<HostOptions> {
  const read = (path: string): Promise<string> => readPem(resolve(directory, path));
  const [client] = entry.client ?? [];
  const headers = Object.entries(entry.headers ?? {}).map(([name, values]) => [name, values.join(", ")]);
  return {
    ...(entry.ca === undefined ? {} : { ca: await Promise.all(entry.ca.map(read)) }),
    ...(client === undefined ? {} : { cert: await read(client[0]), key: await read(client[1] ?? client[0]) }),
    ...(entry.skipVerify === true ? { insecure: true } : {}),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
  };
}

async function readPem(path: string): Promise<string> {
  const text = await readTextFile(path);
  if (text === undefined) throw invalidHostConfig(path, "is named and is not there");
  return text;
}
