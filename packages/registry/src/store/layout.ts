import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ContentError, FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import {
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
  tally,
  type Digest,
} from "../oci/digest.ts";
import { encodeJson } from "../oci/json.ts";
import { manifestSizeLimit, parseManifestDocument, type Index } from "../oci/manifest.ts";
import { hasCode, ifPresent } from "../files/absent.ts";
import { readChunks, writeChunks } from "../files/chunks.ts";
import { makeDirectory } from "../files/make-directory.ts";
import { placeNew } from "../files/place-new.ts";
import { openPlainFile, readPlainFile } from "../files/plain-file.ts";
import { besideName, namingFile, writeWhole } from "../files/whole-file.ts";
import {
  emptyIndex,
  findRoot,
  layoutVersion,
  parseLayoutIndex,
  withReferrer,
  withRoot,
} from "./layout-index.ts";
import { withLock } from "./lock.ts";
import { isReferrer, referrersAmong } from "./referrers.ts";
import type { LocalStore, ReferrerSource, Resolver, Tagger } from "./store.ts";
import { unknownContent } from "./unknown-content.ts";
import { abortable, readAll, verified } from "./verify.ts";

/** An OCI image layout: a directory (image-spec, image-layout.md). */
export interface OciLayout extends LocalStore, Resolver, Tagger, ReferrerSource {
  /** The roots that the layout names, in its order. */
  roots(): Promise<readonly Descriptor[]>;
}

export interface OciLayoutOptions {
  /** `scratch`: content need not survive a power cut, as that of a directory which is removed again. Default: `synced`. */
  readonly durability?: "synced" | "scratch";
}

/**
 * A directory in the form of the image-spec, image-layout.md. It is made with the first thing that is written; several
 * processes may write to it at once.
 *
 * @throws {FormatError} `LAYOUT_INVALID`, from each call, for a directory that is something else
 */
export function ociLayout(directory: string, options: OciLayoutOptions = {}): OciLayout {
  const { durability = "synced" } = options;
  const blobPath = (digest: Digest): string => {
    // Digests come from documents of others: nothing else goes into a path.
    const checked = parseDigest(digest);
    return join(directory, "blobs", digestAlgorithm(checked), digestHex(checked));
  };
  const indexPath = join(directory, "index.json");

  const write = async (
    content: AsyncIterable<Uint8Array>,
    target: () => string,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    await prepare(directory);
    const temporary = besideName(join(directory, INGEST));
    await writeWhole(temporary, (file) => writeChunks(file, abortable(content, signal)), target, {
      durability,
    });
  };

  const exists = async (target: Descriptor): Promise<boolean> => {
    const status = await ifPresent(stat(blobPath(target.digest)));
    return status?.isFile() === true && status.size === target.size;
  };

  const rewriteIndex = async (
    change: (index: Index) => Index,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    await prepare(directory);
    await removeStale(directory);
    await withLock(join(directory, ".index.json.lock"), signal, async (confirm) => {
      const bytes = encodeJson(change(await readIndex(indexPath)));
      await writeWhole(
        besideName(join(directory, INGEST)),
        async (file) => {
          await file.writeFile(bytes);
          await confirm();
        },
        () => indexPath,
        { durability },
      );
    });
  };

  /** What refers to another manifest is found again through the index only. */
  const keepReferrer = async (target: Descriptor, signal: AbortSignal | undefined): Promise<void> => {
    if (!(await isReferrer(layout, target))) return;
    const index = await readIndex(indexPath);
    if (index !== withReferrer(index, target))
      await rewriteIndex((current) => withReferrer(current, target), signal);
  };

  const layout: OciLayout = {
    async *fetch(target, options) {
      const file = await openPlainFile(blobPath(target.digest));
      if (file === undefined) throw unknownContent(target);
      try {
        // One byte more than there should be is enough to see that there are more.
        yield* verified(target, abortable(readChunks(file, 0, target.size + 1), options?.signal));
      } finally {
        await file.close();
      }
    },
    exists,
    async push(expected, content, options) {
      if (!(await exists(expected)))
        await write(verified(expected, content), () => blobPath(expected.digest), options?.signal);
      await keepReferrer(expected, options?.signal);
    },
    async ingest(mediaType, content, options) {
      const seen = tally();
      await write(seen.through(content), () => blobPath(seen.digest()), options?.signal);
      const target = { mediaType, digest: seen.digest(), size: seen.size() };
      await keepReferrer(target, options?.signal);
      return target;
    },
    async resolve(reference) {
      const found =
        findRoot(await readIndex(indexPath), reference) ??
        (isDigest(reference) ? await describe(blobPath(reference), reference) : undefined);
      if (found !== undefined) return found;
      throw new ContentError(
        "MANIFEST_UNKNOWN",
        `${directory} has nothing named ${JSON.stringify(reference)}.`,
      );
    },
    async tag(target, reference, options) {
      if (!(await exists(target))) throw unknownContent(target);
      await rewriteIndex((index) => withRoot(index, target, reference), options?.signal);
    },
    async roots() {
      return (await readIndex(indexPath)).manifests;
    },
    async *referrers(subject, options) {
      yield* referrersAmong((await readIndex(indexPath)).manifests, layout, subject, options);
    },
  };
  return layout;
}

const INGEST = ".ingest";

const LARGEST_MARKER = 4096;

/** Writes what makes a directory a layout, where it is not one. */
async function prepare(directory: string): Promise<void> {
  const marker = join(directory, "oci-layout");
  const text = await readPlainFile(marker, LARGEST_MARKER).catch((error: unknown) => {
    throw hasCode(error, "EFBIG") ? unknownVersion(marker) : error;
  });
  if (text === undefined) {
    await makeDirectory(directory);
    await createFile(join(directory, "index.json"), encodeJson(emptyIndex));
    await createFile(marker, layoutVersion);
  } else if (!/"imageLayoutVersion"\s*:\s*"1\.\d+\.\d+"/.test(text.toString("utf8"))) {
    throw unknownVersion(marker);
  }
}

function unknownVersion(marker: string): FormatError {
  return new FormatError("LAYOUT_INVALID", `${marker} is of a version that is not known here.`);
}

/** Unlike a rename, a link never replaces what another process wrote meanwhile. */
async function createFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = besideName(path);
  try {
    await writeFile(temporary, bytes, { flag: "wx", flush: true });
    await placeNew(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Content that a killed process did not finish, a day ago or longer. */
async function removeStale(directory: string): Promise<void> {
  const before = Date.now() - 24 * 60 * 60 * 1000;
  for (const name of await readdir(directory)) {
    if (!name.startsWith(INGEST)) continue;
    const status = await ifPresent(stat(join(directory, name)));
    if (status !== undefined && status.mtimeMs < before) await rm(join(directory, name), { force: true });
  }
}

/** An index that is not there has no roots. */
async function readIndex(path: string): Promise<Index> {
  const bytes = await readLimited(path);
  return bytes === undefined ? emptyIndex : parseLayoutIndex(bytes, path);
}

async function readLimited(path: string): Promise<Uint8Array | undefined> {
  const file = await openPlainFile(path);
  if (file === undefined) return undefined;
  try {
    return await readAll(readChunks(file, 0, manifestSizeLimit + 1));
  } catch (error) {
    throw namingFile(error, path, "read");
  } finally {
    await file.close();
  }
}

/** The descriptor of a manifest that is there without being a root. */
async function describe(path: string, digest: Digest): Promise<Descriptor | undefined> {
  const bytes = await readLimited(path);
  if (bytes === undefined || digestOf(bytes, digestAlgorithm(digest)) !== digest) return undefined;
  return { mediaType: parseManifestDocument(bytes).mediaType, digest, size: bytes.byteLength };
}
