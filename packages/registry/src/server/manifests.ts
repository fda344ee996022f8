import { FormatError } from "../errors.ts";
import { digestAlgorithm, digestOf } from "../oci/digest.ts";
import { manifestSizeLimit, parseManifestDocument, type ManifestDocument } from "../oci/manifest.ts";
import { referrerOf, subjectOf } from "../oci/referrer.ts";
import { methodNotAllowed, readBody, type Call } from "./call.ts";
import { emptyReply, Refusal, type Reply } from "./reply.ts";
import type { Repository } from "./repository.ts";
import { parseTag, type ManifestReference } from "./route.ts";

/** `/v2/<name>/manifests/<reference>`: distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting". */
export function answerManifest(
  call: Call,
  repository: Repository,
  reference: ManifestReference,
): Promise<Reply> {
  switch (call.method) {
    case "GET":
    case "HEAD":
      return pull(call, repository, reference);
    case "PUT":
      return push(call, repository, reference);
    case "DELETE":
      return remove(repository, reference);
    default:
      throw methodNotAllowed(call, "GET", "HEAD", "PUT", "DELETE");
  }
}

async function pull(call: Call, repository: Repository, reference: ManifestReference): Promise<Reply> {
  const digest = reference.kind === "digest" ? reference.digest : await repository.resolve(reference.tag);
  const manifest = digest === undefined ? undefined : await repository.manifest(digest);
  if (digest === undefined || manifest === undefined) throw unknownManifest(reference);
  return {
    status: 200,
    headers: {
      "content-type": manifest.mediaType,
      "content-length": String(manifest.size),
      "docker-content-digest": digest,
      etag: `"${digest}"`,
    },
    ...(call.method === "HEAD" ? {} : { body: manifest.read() }),
  };
}

async function push(call: Call, repository: Repository, reference: ManifestReference): Promise<Reply> {
  const tags = call.query.getAll("tag").map(parseTag);
  const bytes = await readBody(call, manifestSizeLimit);
  const digest = digestOf(bytes, reference.kind === "digest" ? digestAlgorithm(reference.digest) : "sha256");
  if (reference.kind === "digest" && digest !== reference.digest) {
    throw new Refusal(400, "DIGEST_INVALID", `The manifest's digest is ${digest}, not ${reference.digest}.`);
  }
  const document = parsed(bytes, call.headers["content-type"]);
  const [absent] = await repository.missing(document);
  if (absent !== undefined) {
    throw new Refusal(400, "MANIFEST_BLOB_UNKNOWN", `${absent.digest} is not in this repository.`);
  }
  await repository.putManifest(digest, document, bytes);
  const subject = subjectOf(document);
  if (subject !== undefined) {
    await repository.addReferrer(subject.digest, referrerOf(document, { digest, size: bytes.byteLength }));
  }
  const names = reference.kind === "tag" ? [reference.tag, ...tags] : tags;
  for (const tag of names) await repository.tag(tag, digest);
  return emptyReply(201, {
    location: `/v2/${repository.name}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(subject === undefined ? {} : { "oci-subject": subject.digest }),
    ...(tags.length === 0 ? {} : { "oci-tag": tags.join(", ") }),
  });
}

async function remove(repository: Repository, reference: ManifestReference): Promise<Reply> {
  const removed =
    reference.kind === "tag"
      ? await repository.removeTag(reference.tag)
      : await repository.removeManifest(reference.digest);
  if (!removed) throw unknownManifest(reference);
  return emptyReply(202);
}

function parsed(bytes: Uint8Array, contentType: string | undefined): ManifestDocument {
  try {
    return parseManifestDocument(bytes, contentType?.split(";", 1)[0]?.trim());
  } catch (error) {
    if (error instanceof FormatError) throw new Refusal(400, "MANIFEST_INVALID", error.message);
    throw error;
  }
}

function unknownManifest(reference: ManifestReference): Refusal {
  const named = reference.kind === "tag" ? reference.tag : reference.digest;
  return new Refusal(404, "MANIFEST_UNKNOWN", `${named} is not in this repository.`);
}
