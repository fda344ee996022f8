import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  ContentError,
  manifestSizeLimit,
  parseManifestDocument,
  parsePlatform,
  readAll,
  selectPlatform,
  type BlobSource,
  type Descriptor,
  type RegistryClientOptions,
} from "@undocked/registry";
import { UsageError, type Arguments, type Flag } from "./args.ts";
import type { Io } from "./io.ts";
import { registryNotices } from "./render/registry-notices.ts";

/** What every command that talks to registries takes. */
export const registryFlags: Readonly<Record<string, Flag>> = {
  "registry-ca": { value: "PATH", repeatable: true, help: "Trust these certificates (PEM) too" },
  "plain-http": {
    value: "HOST",
    repeatable: true,
    help: "Speak http to HOST[:PORT]; loopback hosts need no word",
  },
};

/** @param tell - gets a line of each warning and wait. Default: they go to standard error, unless the command is to be quiet */
export async function registryOptions(
  flags: Arguments,
  io: Io,
  tell: (line: string) => void = flags.is("quiet")
    ? () => undefined
    : (line) => void io.stderr.write(`${line}\n`),
): Promise<RegistryClientOptions> {
  const paths = flags.texts("registry-ca");
  const ca = await Promise.all(paths.map((path) => readCertificates(resolve(io.cwd, path))));
  const hosts = Object.fromEntries(
    flags.texts("plain-http").map((host) => [plainHost(host), { plainHttp: true }]),
  );
  return { hosts, onEvent: registryNotices(tell), ...(ca.length === 0 ? {} : { ca }) };
}

/**
 * Of an index, the manifest for a platform; what is no index is itself.
 *
 * @throws {ContentError} `PLATFORM_UNKNOWN`
 */
export async function choosePlatform(
  root: Descriptor,
  source: BlobSource,
  platform: string | undefined,
  signal: AbortSignal,
): Promise<Descriptor> {
  if (platform === undefined) return root;
  const wanted = parsePlatform(platform);
  const document = parseManifestDocument(await readManifest(root, source, signal), root.mediaType);
  return document.kind === "index" ? selectPlatform(document.index, wanted) : root;
}

/**
 * The bytes of a manifest or an index.
 *
 * @throws {ContentError} `SIZE_MISMATCH` where they are more than any has
 */
export async function readManifest(
  root: Descriptor,
  source: BlobSource,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (root.size <= manifestSizeLimit) return await readAll(source.fetch(root, { signal }));
  throw new ContentError(
    "SIZE_MISMATCH",
    `The manifest says that it has ${root.size} bytes; at most ${manifestSizeLimit} are read.`,
  );
}

/** A host as references spell it, also as a URL. */
function plainHost(text: string): string {
  const host = /^(?:http:\/\/)?((?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::\d{1,5})?)\/?$/i.exec(text)?.[1];
  if (host !== undefined) return host.toLowerCase();
  throw new UsageError(`--plain-http takes HOST[:PORT], not ${JSON.stringify(text)}.`);
}

async function readCertificates(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new UsageError(`--registry-ca: ${path} cannot be read.`, { cause });
  });
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new UsageError(`--registry-ca: ${path} holds no PEM certificate.`);
}
