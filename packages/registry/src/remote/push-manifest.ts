import { ContentError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm, isDigest, type Digest } from "../oci/digest.ts";
import { manifestSizeLimit } from "../oci/manifest.ts";
import { forEachOf } from "../store/concurrency.ts";
import type { CallOptions, PushOptions } from "../store/store.ts";
import { readAll, verified } from "../store/verify.ts";
import type { Answer } from "./call.ts";
import type { RegistryLine, RepositoryContext } from "./context.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { encodeReference, fetchManifest, headManifest, manifestExists, resolveManifest } from "./manifest.ts";
import { RegistryError } from "./registry-error.ts";

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
  options: PushOptions,
): Promise<PushedManifest> {
  const isThere = options.known !== "absent" && (await manifestExists(context, expected.digest, options));
  const bytes = await readManifest(expected, content);
  if (isThere) return { bytes, noticesSubjects: "not told" };
  return pushed(bytes, await putManifest(context, expected, bytes, expected.digest, options));
}

/** A manifest together with its names; nobody is asked whether it is there. */
export async function pushNamedManifest(
  context: RepositoryContext,
  expected: Descriptor,
  content: AsyncIterable<Uint8Array>,
  tags: readonly string[],
  options: CallOptions,
): Promise<PushedManifest> {
  const bytes = await readManifest(expected, content);
  return pushed(bytes, await putNamed(context, expected, bytes, tags, options));
}

async function readManifest(expected: Descriptor, content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (expected.size > manifestSizeLimit) {
    throw new RegistryError(
      "MANIFEST_INVALID",
      `${expected.digest} has ${expected.size} bytes; registries take manifests of at most ${manifestSizeLimit}.`,
    );
  }
  return await readAll(verified(expected, content));
}

function pushed(bytes: Uint8Array, answer: Answer): PushedManifest {
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
  if (isDigest(stored)) checkStored(target, stored);
  return answer;
}

/** Other algorithms are another way to say the same: Debian's registry answers sha256 for what was pushed as sha512. */
function checkStored(target: Descriptor, stored: Digest): void {
  if (stored === target.digest || digestAlgorithm(stored) !== digestAlgorithm(target.digest)) return;
  throw new ContentError("DIGEST_MISMATCH", `The registry stored ${stored}, but ${target.digest} was sent.`, {
    hint: "A proxy may have changed the manifest on its way.",
  });
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
  await forEachOf([...new Set(tags)], TAGS_AT_ONCE, async (tag) => {
    if ((await headManifest(context, tag, options))?.digest !== target.digest) missing.push(tag);
  });
  if (missing.length === 0) return;
  const { bytes } = await fetchManifest(context, target.digest, options, target);
  await putNamed(context, target, bytes, missing, options);
}

/** Requests of one kind that are under way at once. */
const TAGS_AT_ONCE = 4;

/** Registries that were given several names and took none. */
const takingOneName = new WeakSet<RegistryLine>();

/**
 * One request for one name. Several go together where the registry knows of that; where it does not, the manifest is there
 * by then, and the names follow.
 *
 * The names of several go with the digest alone (distribution-spec 1.2, "Pushing Manifests"), and only the answer tells whether
 * they were seen: that first question is a request too many for a registry that does not know, which is not asked again.
 */
async function putNamed(
  context: RepositoryContext,
  target: Descriptor,
  bytes: Uint8Array,
  tags: readonly string[],
  options: CallOptions,
): Promise<Answer> {
  const [first, ...more] = tags.map(encodeReference);
  const putEach = async (names: readonly string[]): Promise<void> =>
    await forEachOf(names, TAGS_AT_ONCE, async (tag) => {
      await putManifest(context, target, bytes, tag, options);
    });
  const oneByOne = more.length === 0 || takingOneName.has(context.line);
  // Under a name alone, the registry would choose the algorithm.
  if (first !== undefined && oneByOne && digestAlgorithm(target.digest) === "sha256") {
    const answer = await putTagged(context, target, bytes, first, options);
    await putEach(more);
    return answer;
  }
  const query = tags.map((tag) => `tag=${encodeReference(tag)}`).join("&");
  const answer = await putManifest(context, target, bytes, `${target.digest}?${query}`, options);
  const set = new Set((answer.headers.get("oci-tag") ?? "").split(",").map((tag) => tag.trim()));
  const left = tags.filter((tag) => !set.has(tag));
  if (more.length > 0 && left.length === tags.length) takingOneName.add(context.line);
  await putEach(left);
  return answer;
}

/** The digest that the registry stored is in its answer, or asked for. */
async function putTagged(
  context: RepositoryContext,
  target: Descriptor,
  bytes: Uint8Array,
  tag: string,
  options: CallOptions,
): Promise<Answer> {
  const answer = await putManifest(context, target, bytes, tag, options);
  if (!isDigest(answer.headers.get("docker-content-digest")))
    checkStored(target, (await resolveManifest(context, tag, options)).digest);
  return answer;
}
