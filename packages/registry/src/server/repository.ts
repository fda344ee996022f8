import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm, digestHex, isDigest, type Digest, type DigestAlgorithm } from "../oci/digest.ts";
import { children, type ManifestDocument } from "../oci/manifest.ts";
import { isForeignLayerType } from "../oci/media-type.ts";
import type { Storage, StoredFile } from "./storage.ts";

/** One repository of a registry. Its files lie in folders that begin with `_`, as no component of a name does. */
export interface Repository {
  readonly name: string;
  blob(digest: Digest): Promise<StoredFile | undefined>;
  removeBlob(digest: Digest): Promise<boolean>;
  manifest(digest: Digest): Promise<StoredManifest | undefined>;
  putManifest(digest: Digest, document: ManifestDocument, bytes: Uint8Array): Promise<void>;
  /** With its tags and its entry among the subject's referrers. */
  removeManifest(digest: Digest): Promise<boolean>;
  /** What the document points to and what is not here. */
  missing(document: ManifestDocument): Promise<readonly Descriptor[]>;
  resolve(tag: string): Promise<Digest | undefined>;
  tag(tag: string, digest: Digest): Promise<void>;
  removeTag(tag: string): Promise<boolean>;
  /** In byte order. */
  tags(): Promise<readonly string[]>;
  addReferrer(subject: Digest, referrer: Descriptor): Promise<void>;
  /** Of a manifest that is here or not, in the order of their digests. */
  referrers(subject: Digest): Promise<readonly Descriptor[]>;
  /** Whether anything is here. */
  isKnown(): Promise<boolean>;
}

export interface StoredManifest extends StoredFile {
  readonly mediaType: string;
}

/** Where a blob lies: what an upload is committed to and a mount links. */
export function blobKey(name: string, digest: Digest): string {
  return `${name}/_blobs/${pathOf(digest)}`;
}

export function repository(storage: Storage, name: string): Repository {
  const manifestKey = (digest: Digest): string => `${name}/_manifests/${pathOf(digest)}`;
  // Beside the manifest, because a document need not name its own type.
  const typeKey = (digest: Digest): string => `${name}/_types/${pathOf(digest)}`;
  const tagKey = (tag: string): string => `${name}/_tags/${tag}`;
  const referrersKey = (subject: Digest): string => `${name}/_referrers/${pathOf(subject)}`;
  const readText = async (key: string): Promise<string | undefined> => {
    const file = await storage.open(key);
    return file === undefined ? undefined : textOf(file);
  };

  const resolve = async (tag: string): Promise<Digest | undefined> => {
    const text = await readText(tagKey(tag));
    return isDigest(text) ? text : undefined;
  };

  return {
    name,
    blob: (digest) => storage.open(blobKey(name, digest)),
    removeBlob: (digest) => storage.remove(blobKey(name, digest)),
    async manifest(digest) {
      const file = await storage.open(manifestKey(digest));
      const mediaType = await readText(typeKey(digest));
      return file === undefined || mediaType === undefined ? undefined : { ...file, mediaType };
    },
    async putManifest(digest, document, bytes) {
      await storage.put(typeKey(digest), new TextEncoder().encode(document.mediaType));
      await storage.put(manifestKey(digest), bytes);
    },
    async removeManifest(digest) {
      for (const tag of await storage.list(`${name}/_tags`)) {
        if ((await resolve(tag)) === digest) await storage.remove(tagKey(tag));
      }
      for (const algorithm of await storage.list(`${name}/_referrers`)) {
        for (const hex of await storage.list(`${name}/_referrers/${algorithm}`)) {
          await storage.remove(`${name}/_referrers/${algorithm}/${hex}/${fileName(digest)}`);
        }
      }
      const removed = await storage.remove(manifestKey(digest));
      await storage.remove(typeKey(digest));
      return removed;
    },
    async missing(document) {
      const absent: Descriptor[] = [];
      for (const child of children(document)) {
        if (isForeignLayerType(child.mediaType)) continue;
        const key = document.kind === "index" ? manifestKey(child.digest) : blobKey(name, child.digest);
        if ((await storage.open(key)) === undefined) absent.push(child);
      }
      return absent;
    },
    resolve,
    async tag(tag, digest) {
      await storage.put(tagKey(tag), new TextEncoder().encode(digest));
    },
    removeTag: (tag) => storage.remove(tagKey(tag)),
    tags: () => storage.list(`${name}/_tags`),
    async addReferrer(subject, referrer) {
      const bytes = new TextEncoder().encode(JSON.stringify(referrer));
      await storage.put(`${referrersKey(subject)}/${fileName(referrer.digest)}`, bytes);
    },
    async referrers(subject) {
      const found: Descriptor[] = [];
      for (const file of await storage.list(referrersKey(subject))) {
        const text = await readText(`${referrersKey(subject)}/${file}`);
        if (text === undefined) continue;
        const referrer: Descriptor = JSON.parse(text);
        found.push(referrer);
      }
      return found;
    },
    async isKnown() {
      for (const folder of [
        "_tags",
        ...algorithms.flatMap((one) => [`_manifests/${one}`, `_blobs/${one}`]),
      ]) {
        if ((await storage.list(`${name}/${folder}`)).length > 0) return true;
      }
      return false;
    },
  };
}

const algorithms: readonly DigestAlgorithm[] = ["sha256", "sha512"];

function pathOf(digest: Digest): string {
  return `${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

function fileName(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}

async function textOf(file: StoredFile): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.read()) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
