import { lstat, rm, stat, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import {
  ContentError,
  encodeJson,
  ociLayout,
  parseDigest,
  readAll,
  type CallOptions,
  type Descriptor,
  type LocalStore,
  type OciLayout,
  type Resolver,
} from "@undocked/registry";
import { readPlainFile } from "@undocked/registry/files";

/** Content up to this size is looked at in memory; larger content that was found here is read twice the first time. */
const HELD = 1024 * 1024;

/**
 * Content in a directory that several builds may use at once, and where anything may be damaged or taken away.
 *
 * What is damaged counts as missing. It is found to be so, and removed, before its first byte is given, so that whoever can make
 * or fetch it again can do so unnoticed. What is read is touched: when it was last of use is what pruning goes by.
 */
export function contentCache(directory: string): LocalStore & Resolver {
  // Checked whenever it is read, and made again: nothing of it need outlive a power cut.
  const layout = ociLayout(directory, { durability: "scratch" });
  /** Written or looked at by this build. */
  const whole = new Set<string>();
  let mended: Promise<void> | undefined;

  const pathOf = ({ digest }: Descriptor): string =>
    join(directory, "blobs", parseDigest(digest).replace(":", "/"));

  async function* read(target: Descriptor, call?: CallOptions): AsyncGenerator<Uint8Array, void, void> {
    if (target.size <= HELD) {
      const bytes = await readAll(layout.fetch(target, call));
      if (bytes.byteLength > 0) yield bytes;
      return;
    }
    if (!whole.has(target.digest)) for await (const _ of layout.fetch(target, call));
    whole.add(target.digest);
    yield* layout.fetch(target, call);
  }

  return {
    async *fetch(target, call) {
      const path = pathOf(target);
      const found = await lstat(path).catch(() => undefined);
      const now = new Date();
      await utimes(path, now, now).catch(() => {});
      try {
        yield* read(target, call);
      } catch (error) {
        if (!isDamage(error)) throw error;
        whole.delete(target.digest);
        const left = await lstat(path).catch(() => undefined);
        // Unless somebody has mended it meanwhile.
        if (found !== undefined && left?.ino === found.ino) await takeAway(path);
        if (error instanceof ContentError) throw error;
        throw new ContentError("BLOB_UNKNOWN", `${target.digest} cannot be read.`, { cause: error });
      }
    },
    exists: (target, call) => layout.exists(target, call),
    async push(expected, content, call) {
      await (mended ??= mend(directory, layout));
      await layout.push(expected, content, call);
    },
    async ingest(mediaType, content, call) {
      await (mended ??= mend(directory, layout));
      const target = await layout.ingest(mediaType, content, call);
      whole.add(target.digest);
      return target;
    },
    resolve: (reference, call) => layout.resolve(reference, call),
  };
}

/** What the file system says of a file that was changed, or of something else in its place. */
const DAMAGE: ReadonlySet<unknown> = new Set(["EACCES", "EIO", "EISDIR", "ELOOP", "ENXIO", "EPERM"]);

function isDamage(error: unknown): boolean {
  return (
    error instanceof ContentError || (error instanceof Error && "code" in error && DAMAGE.has(error.code))
  );
}

/** The folders that content is written to, the outermost first. */
export function contentFolders(directory: string): readonly string[] {
  return [directory, join(directory, "blobs"), join(directory, "blobs", "sha256")];
}

/**
 * Takes away what stands where a layout has a directory, and what should make it a layout and does not: whoever writes makes it
 * anew. What is missing is left alone: another build may just be making it.
 */
async function mend(directory: string, layout: OciLayout): Promise<void> {
  for (const path of contentFolders(directory)) {
    // A link to a directory is somebody's own will.
    const isDirectory = await stat(path).then(
      (status) => status.isDirectory(),
      () => false,
    );
    // Takes away a file or a link, and no directory that is there by now.
    if (!isDirectory) await unlink(path).catch(() => {});
  }
  const marker = join(directory, "oci-layout");
  const index = join(directory, "index.json");
  const isMarked = async (): Promise<boolean> =>
    (await readPlainFile(marker, MARKER.length))?.toString("utf8") === MARKER;
  const isListed = async (): Promise<boolean> =>
    (await lstat(index)).isFile() && Array.isArray(await layout.roots());
  const isWhole = (await isGood(marker, isMarked)) && (await isGood(index, isListed));
  if (!isWhole) for (const path of [marker, index]) await takeAway(path);
}

/** Whether it is missing, or as it should be. */
async function isGood(path: string, check: () => Promise<boolean>): Promise<boolean> {
  const isThere = await lstat(path).then(Boolean, () => false);
  return !isThere || (await check().catch(() => false));
}

/** Unlike `rm` with `force`, which goes on where it has found nothing and removes what somebody has put there meanwhile. */
async function takeAway(path: string): Promise<void> {
  const status = await lstat(path).catch(() => undefined);
  if (status?.isDirectory() === true) await rm(path, { recursive: true, force: true });
  else if (status !== undefined) await unlink(path).catch(() => {});
}

const MARKER = new TextDecoder().decode(encodeJson({ imageLayoutVersion: "1.0.0" }));
