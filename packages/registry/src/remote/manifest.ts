import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm, digestOf, isDigest, type Digest } from "../oci/digest.ts";
import { manifestSizeLimit, parseManifestDocument, type ManifestDocument } from "../oci/manifest.ts";
import { isIndexType, isManifestType, MediaType } from "../oci/media-type.ts";
import type { CallOptions } from "../store/store.ts";
import { contentOf, readAll, verified } from "../store/verify.ts";
import type { Answer, Call } from "./call.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import { readUrl, type RepositoryContext } from "./context.ts";
import { exchangeWhole } from "./whole-answer.ts";

const accept = [
  MediaType.ociIndex,
  MediaType.dockerManifestList,
  MediaType.ociManifest,
  MediaType.dockerManifest,
].join(", ");

/** A manifest or an index as it came, hashed here. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly document: ManifestDocument;
  /** What the registry says that its digest is, where it says so. */
  readonly stated?: Digest;
  /** The registry's name for this state of what was asked for. */
  readonly etag?: string;
}

/** A manifest by tag or digest. What came is hashed: a server's word on its digest is a hint. */
export async function fetchManifest(
  context: RepositoryContext,
  reference: string,
  options: CallOptions,
  expected?: Descriptor,
): Promise<FetchedManifest> {
  const call = question(context, "GET", reference, options, [200]);
  const { answer, bytes } = await exchangeWhole(context.line, call, manifestSizeLimit);
  if (bytes === undefined) {
    throw new RegistryError(
      "MANIFEST_INVALID",
      `The manifest ${reference} has more than ${manifestSizeLimit} bytes; no more are read.`,
      { method: "GET", url: answer.url },
    );
  }
  const digest = digestOf(bytes, isDigest(reference) ? digestAlgorithm(reference) : "sha256");
  if (isDigest(reference)) {
    const size = expected?.size ?? bytes.byteLength;
    await readAll(verified({ mediaType: "", digest: reference, size }, contentOf(bytes)));
  }
  const served = contentType(answer);
  checkServedType(expected, served, reference);
  const document = parseManifestDocument(bytes, served ?? expected?.mediaType);
  if (expected !== undefined) checkServedType(expected, document.mediaType, reference);
  const etag = strongTag(answer.headers.get("etag"));
  const stated = answer.headers.get("docker-content-digest");
  return {
    descriptor: { mediaType: document.mediaType, digest, size: bytes.byteLength },
    bytes,
    document,
    ...(isDigest(stated) ? { stated } : {}),
    ...(etag === undefined ? {} : { etag }),
  };
}

/** A descriptor's type is part of what was agreed on: an index in place of a manifest is another image (CVE-2021-41190). */
function checkServedType(expected: Descriptor | undefined, served: string | undefined, name: string): void {
  if (expected === undefined || served === undefined || served === expected.mediaType) return;
  if (!isIndexType(served) && !isManifestType(served)) return;
  throw new RegistryError(
    "MANIFEST_INVALID",
    `${name} should be ${expected.mediaType}, but the registry serves ${served}.`,
  );
}

/** Without its parameters. */
function contentType(answer: Answer): string | undefined {
  const type = (answer.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  return type === "" ? undefined : type;
}

export async function manifestExists(
  context: RepositoryContext,
  reference: string,
  options: CallOptions,
): Promise<boolean> {
  return (await headManifest(context, reference, options)) !== undefined;
}

/** What a HEAD tells; `undefined`: it is not there. Some parts may be missing. */
export async function headManifest(
  context: RepositoryContext,
  reference: string,
  options: CallOptions,
): Promise<Partial<Descriptor> | undefined> {
  const answer = await ask(context, "HEAD", reference, options, [200, 404, 405]).catch((error: unknown) => {
    if (error instanceof RegistryError && error.status === 403) return undefined;
    throw error;
  });
  if (answer !== undefined) await drain(answer);
  if (answer === undefined || answer.status === 405) {
    // Some registries and proxies have no HEAD, or forbid it.
    const got = await ask(context, "GET", reference, options, [200, 404]);
    got.cancel();
    return got.status === 200 ? {} : undefined;
  }
  if (answer.status === 404) return undefined;
  const digest = answer.headers.get("docker-content-digest");
  const length = answer.headers.get("content-length") ?? "";
  const mediaType = contentType(answer) ?? "";
  return {
    ...(isDigest(digest) ? { digest } : {}),
    ...(/^[1-9]\d{0,8}$/.test(length) ? { size: Number(length) } : {}),
    ...(isManifestType(mediaType) || isIndexType(mediaType) ? { mediaType } : {}),
  };
}

/** By HEAD, which registries do not count as a pull; by GET where that does not tell everything. */
export async function resolveManifest(
  context: RepositoryContext,
  reference: string,
  options: CallOptions,
): Promise<Descriptor> {
  return await describedBy(await headManifest(context, reference, options), context, reference, options);
}

/** As {@link resolveManifest}; `undefined`: it is not there, and nobody asks why. */
export async function findManifest(
  context: RepositoryContext,
  reference: string,
  options: CallOptions,
): Promise<Descriptor | undefined> {
  const head = await headManifest(context, reference, options);
  return head === undefined ? undefined : await describedBy(head, context, reference, options);
}

async function describedBy(
  head: Partial<Descriptor> | undefined,
  context: RepositoryContext,
  reference: string,
  options: CallOptions,
): Promise<Descriptor> {
  const digest: Digest | undefined = isDigest(reference) ? reference : head?.digest;
  const isKnown = !isDigest(reference) || head?.digest === undefined || head.digest === reference;
  if (digest !== undefined && head?.mediaType !== undefined && head.size !== undefined && isKnown) {
    return { mediaType: head.mediaType, digest, size: head.size };
  }
  return (await fetchManifest(context, reference, options)).descriptor;
}

async function ask(
  context: RepositoryContext,
  method: "GET" | "HEAD",
  reference: string,
  options: CallOptions,
  expect: readonly number[],
): Promise<Answer> {
  return await exchange(context.line, question(context, method, reference, options, expect));
}

function question(
  context: RepositoryContext,
  method: "GET" | "HEAD",
  reference: string,
  options: CallOptions,
  expect: readonly number[],
): Call {
  return {
    method,
    url: readUrl(context, `manifests/${encodeReference(reference)}`),
    headers: { Accept: accept },
    permission: { repository: context.repository, scopes: context.pull },
    expect,
    subject: "manifest",
    signal: options.signal,
  };
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Into the URL goes only what is a tag or a digest. */
export function encodeReference(reference: string): string {
  if (isDigest(reference) || TAG.test(reference)) return reference;
  throw new RegistryError(
    "NAME_INVALID",
    `${JSON.stringify(reference.slice(0, 200))} is neither a tag nor a digest.`,
  );
}

/** A weak one never matches (RFC 9110, 13.1.1). */
function strongTag(etag: string | null): string | undefined {
  return etag !== null && /^"[\x21\x23-\x7e]*"$/.test(etag) ? etag : undefined;
}
