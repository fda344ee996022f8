import { ContentError } from "../errors.ts";
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
  return {
    descriptor: { mediaType: document.mediaType, digest, size: bytes.byteLength },
    bytes,
    document,
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
async function headManifest(
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
  const head = await headManifest(context, reference, options);
  const digest: Digest | undefined = isDigest(reference) ? reference : head?.digest;
  const isKnown = !isDigest(reference) || head?.digest === undefined || head.digest === reference;
  if (digest !== undefined && head?.mediaType !== undefined && head.size !== undefined && isKnown) {
    return { mediaType: head.mediaType, digest, size: head.size };
  }
  return (await fetchManifest(context, reference, options)).descriptor;
}

/** A manifest that the registry has now. */
export interface PushedManifest {
  readonly bytes: Uint8Array;
  /** Whether the registry keeps track of what refers to what. It does not tell of what was there already. */
  readonly noticesSubjects: boolean | "not told";
}

export async function pushManifest(
  context: RepositoryContext,
  expected: Descriptor,
  content: AsyncIterable<Uint8Array>,
  options: CallOptions,
  known: "absent" | "unknown",
): Promise<PushedManifest> {
  const isThere = known === "unknown" && (await manifestExists(context, expected.digest, options));
  if (expected.size > manifestSizeLimit) {
    throw new RegistryError(
      "MANIFEST_INVALID",
      `${expected.digest} has ${expected.size} bytes; registries take manifests of at most ${manifestSizeLimit}.`,
    );
  }
  const bytes = await readAll(verified(expected, content));
  if (isThere) return { bytes, noticesSubjects: "not told" };
  const answer = await putManifest(context, expected, bytes, expected.digest, options);
  return { bytes, noticesSubjects: answer.headers.get("oci-subject") !== null };
}

/** Gives the answer, for what it says of a `subject`. */
export async function putManifest(
  context: RepositoryContext,
  target: Descriptor,
  bytes: Uint8Array,
  reference: string,
  options: CallOptions,
  /** The tag that the content to be replaced had, or that there was none; where that is no longer so, the answer is 412. */
  unchanged?: string,
): Promise<Answer> {
  const answer = await exchange(context.line, {
    method: "PUT",
    url: `${context.base}/manifests/${reference}`,
    headers: {
      "Content-Type": target.mediaType,
      ...(unchanged === undefined
        ? {}
        : unchanged === "absent"
          ? { "If-None-Match": "*" }
          : { "If-Match": unchanged }),
    },
    body: { open: () => bytes, size: bytes.byteLength, canReopen: () => true },
    permission: { repository: context.repository, scopes: context.push },
    expect: unchanged === undefined ? [200, 201, 202] : [200, 201, 202, 412],
    subject: "manifest",
    signal: options.signal,
  });
  await drain(answer);
  const stored = answer.headers.get("docker-content-digest");
  // Other algorithms are another way to say the same: Debian's registry answers sha256 for what was pushed as sha512.
  const comparable = isDigest(stored) && digestAlgorithm(stored) === digestAlgorithm(target.digest);
  if (comparable && stored !== target.digest) {
    throw new ContentError(
      "DIGEST_MISMATCH",
      `The registry stored ${stored}, but ${target.digest} was sent.`,
      { hint: "A proxy may have changed the manifest on its way." },
    );
  }
  return answer;
}

/** Names a manifest that the repository has. Nothing is sent if the tag stands there already: it may be immutable. */
export async function tagManifest(
  context: RepositoryContext,
  target: Descriptor,
  tag: string,
  options: CallOptions,
): Promise<void> {
  const present = await headManifest(context, tag, options);
  if (present?.digest === target.digest) return;
  const { bytes } = await fetchManifest(context, target.digest, options, target);
  await putManifest(context, target, bytes, tag, options);
}

/** As {@link tagManifest}, in one request where the registry knows of that (`OCI-Tag`), else in one each. */
export async function tagManifestAll(
  context: RepositoryContext,
  target: Descriptor,
  tags: readonly string[],
  options: CallOptions,
): Promise<void> {
  const missing: string[] = [];
  for (const tag of new Set(tags)) {
    if ((await headManifest(context, tag, options))?.digest !== target.digest) missing.push(tag);
  }
  if (missing.length === 0) return;
  const { bytes } = await fetchManifest(context, target.digest, options, target);
  const [only] = missing;
  if (missing.length === 1 && only !== undefined) {
    await putManifest(context, target, bytes, only, options);
    return;
  }
  const query = missing.map((tag) => `tag=${encodeReference(tag)}`).join("&");
  const answer = await putManifest(context, target, bytes, `${target.digest}?${query}`, options);
  const set = new Set((answer.headers.get("oci-tag") ?? "").split(",").map((tag) => tag.trim()));
  for (const tag of missing) if (!set.has(tag)) await putManifest(context, target, bytes, tag, options);
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
