import { ContentError, FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm, digestHex, parseDigest, type Digest } from "../oci/digest.ts";
import { encodeJson } from "../oci/json.ts";
import { manifestSizeLimit } from "../oci/manifest.ts";
import { directoryEntry, fileEntry, textEntry } from "./tar-entry.ts";
import type { TarEntry } from "../tar/index.ts";
import { archiveSink, type ArchiveSink } from "./archive-sink.ts";
import { reachable } from "./graph.ts";
import { emptyIndex, findRoot, layoutVersion, parseLayoutIndex } from "./layout-index.ts";
import type { OciLayout } from "./layout.ts";
import { referrersAmong } from "./referrers.ts";
import type { BlobSource, CallOptions, ReferrerSource, Resolver } from "./store.ts";
import { openTarFile, type TarFile } from "./tar-file.ts";
import { unknownContent } from "./unknown-content.ts";
import { abortable, readAll, verified } from "./verify.ts";

/** An OCI layout in a tar that is being written. */
export interface OciArchiveSink extends ArchiveSink, ReferrerSource {}

/** An OCI layout as one tar file, to be written. The same images under the same names give the same bytes. */
export function ociArchive(path: string): Promise<OciArchiveSink> {
  return archiveSink(path, layoutEntries);
}

async function* layoutEntries(layout: OciLayout, options: CallOptions): AsyncGenerator<TarEntry, void, void> {
  const roots = await layout.roots();
  const blobs = new Map(
    (await reachable(roots, layout, options)).map((blob) => [blobPath(blob.digest), blob]),
  );
  let folder = "blobs";
  yield directoryEntry(folder);
  for (const [path, blob] of [...blobs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const own = path.slice(0, path.lastIndexOf("/"));
    if (own !== folder) yield directoryEntry(own);
    folder = own;
    yield fileEntry(path, blob.size, layout.fetch(blob, options));
  }
  yield textEntry("index.json", encodeJson({ ...emptyIndex, manifests: roots }));
  yield textEntry("oci-layout", layoutVersion);
}

/** Images in an archive, found through an index of its headers. Disposing closes the file. */
export interface ArchiveSource extends BlobSource, Resolver, AsyncDisposable {
  /** The images, each with its name as the annotation `org.opencontainers.image.ref.name`, if it has one. */
  roots(): Promise<readonly Descriptor[]>;
}

/** An OCI layout in a tar that is read. */
export interface OciArchiveSource extends ArchiveSource, ReferrerSource {}

/**
 * Opens an OCI layout in a tar file, gzipped or not.
 *
 * @throws {FormatError} `LAYOUT_INVALID`, `TAR_INVALID`
 */
export async function openOciArchive(path: string, options: CallOptions = {}): Promise<OciArchiveSource> {
  const tar = await openTarFile(path, options);
  try {
    return await archiveSource(path, tar);
  } catch (error) {
    await tar[Symbol.asyncDispose]();
    throw error;
  }
}

async function archiveSource(path: string, tar: TarFile): Promise<OciArchiveSource> {
  const file = tar.find("index.json");
  if (file === undefined || tar.find("oci-layout") === undefined) {
    throw new FormatError(
      "LAYOUT_INVALID",
      `${path} is not an OCI layout: it has no index.json and oci-layout.`,
    );
  }
  const index = parseLayoutIndex(await readAll(file.read(0, manifestSizeLimit + 1)), `${path}'s index.json`);
  const source: OciArchiveSource = {
    async *fetch(target, options) {
      const part = tar.find(blobPath(target.digest));
      if (part === undefined) throw unknownContent(target);
      yield* verified(target, abortable(part.read(), options?.signal));
    },
    async exists(target) {
      return tar.find(blobPath(target.digest))?.size === target.size;
    },
    async resolve(reference) {
      const root = findRoot(index, reference);
      if (root !== undefined) return root;
      throw new ContentError("MANIFEST_UNKNOWN", `${path} has nothing named ${JSON.stringify(reference)}.`);
    },
    async roots() {
      return index.manifests;
    },
    referrers: (subject, options) => referrersAmong(index.manifests, source, subject, options),
    [Symbol.asyncDispose]: () => tar[Symbol.asyncDispose](),
  };
  return source;
}

function blobPath(digest: Digest): string {
  const checked = parseDigest(digest);
  return `blobs/${digestAlgorithm(checked)}/${digestHex(checked)}`;
}
