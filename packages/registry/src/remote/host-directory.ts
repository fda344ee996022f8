import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readTextFile } from "../auth/stored-credentials.ts";
import type { ClientCertificate, ConfiguredOptions } from "./client-certificate.ts";
import { parseHostsToml, type HostEntry, type MirrorCapability } from "./hosts-toml.ts";
import { invalidHostConfig } from "./toml.ts";

/** A host that content can be read from, ready to be asked. */
export interface ConfiguredHost {
  /** Of the API: with its `/v2`. */
  readonly url: string;
  readonly capabilities: readonly MirrorCapability[];
  readonly options: ConfiguredOptions;
}

/** What a directory such as `/etc/docker/certs.d` or `/etc/containerd/certs.d` says of a registry. */
export interface HostDirectory {
  /** For the registry itself: docker's `*.crt`, and `*.cert` with `*.key`. */
  readonly options: ConfiguredOptions;
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

async function dockerFiles(directory: string, files: readonly string[]): Promise<ConfiguredOptions> {
  const read = (name: string): Promise<string> => readPem(join(directory, name));
  const ca = await Promise.all(files.filter((name) => name.endsWith(".crt")).map(read));
  const clients = await Promise.all(
    pairsOf(files).map(async ({ cert, key }) => ({ cert: await read(cert), key: await read(key) })),
  );
  return { ...(ca.length === 0 ? {} : { ca }), ...(clients.length === 0 ? {} : { clients }) };
}

/** Names of certificates with their keys. One without the other is an error, when it is read. */
function pairsOf(files: readonly string[]): readonly ClientCertificate[] {
  const stems = files.flatMap((name) => /^(.*)\.(?:cert|key)$/.exec(name)?.[1] ?? []);
  return [...new Set(stems)].map((stem) => ({ cert: `${stem}.cert`, key: `${stem}.key` }));
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

async function optionsOf(entry: HostEntry, directory: string): Promise<ConfiguredOptions> {
  const { ca, client = [], skipVerify, dialTimeoutMs } = entry;
  const read = (path: string): Promise<string> => readPem(resolve(directory, path));
  const clients = await Promise.all(
    client.map(async ([cert, key = cert]) => ({ cert: await read(cert), key: await read(key) })),
  );
  const headers = Object.entries(entry.headers ?? {}).map(([name, values]) => [name, values.join(", ")]);
  return {
    ...(ca === undefined ? {} : { ca: await Promise.all(ca.map(read)) }),
    ...(clients.length === 0 ? {} : { clients }),
    ...(skipVerify === true ? { insecure: true } : {}),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
    ...(dialTimeoutMs === undefined ? {} : { connectTimeoutMs: dialTimeoutMs }),
  };
}

async function readPem(path: string): Promise<string> {
  const text = await readTextFile(path);
  if (text === undefined) throw invalidHostConfig(path, "is named and is not there");
  return text;
}
