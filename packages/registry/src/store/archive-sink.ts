import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { TarEntry } from "../tar/index.ts";
import { writeTar } from "../tar/index.ts";
import { writeChunks } from "../files/chunks.ts";
import { destinationOf, writeDestination, type Destination } from "../files/destination.ts";
import { makeDirectory } from "../files/make-directory.ts";
import { inScratch, scratchDirectory } from "../files/scratch.ts";
import { besideName } from "../files/whole-file.ts";
import { ociLayout, type OciLayout } from "./layout.ts";
import type { CallOptions, LocalStore, ReferrerSource, Resolver, Tagger } from "./store.ts";
import { abortable } from "./verify.ts";

/**
 * An archive that is being made. Content is collected in a directory beside it, because its place in the archive is known
 * only at the end; until {@link ArchiveSink.commit}, nothing is at the archive's own path, or what was there before. A link
 * stays, and what it leads to is replaced; a device or FIFO is written to, and content is collected among the temporary files.
 *
 * To be held with `await using`: disposing removes what was collected, once a commit that is under way has ended.
 */
export interface ArchiveSink extends LocalStore, Resolver, Tagger, AsyncDisposable {
  /** Writes the archive of what has been tagged so far. It appears whole or not at all. */
  commit(options?: CallOptions): Promise<void>;
}

/** @param entriesOf - what the archive consists of, in its order */
export async function archiveSink(
  path: string,
  entriesOf: (layout: OciLayout, options: CallOptions) => AsyncIterable<TarEntry>,
): Promise<ArchiveSink & ReferrerSource> {
  const destination = await destinationOf(path);
  const directory = await collectingDirectory(destination);
  const layout = ociLayout(directory, { durability: "scratch" });
  const collecting = <T>(work: Promise<T>): Promise<T> =>
    destination.kind === "stream" ? inScratch(work) : work;
  const write = async (options: CallOptions): Promise<void> => {
    const tar = abortable(writeTar(entriesOf(layout, options)), options.signal);
    await writeDestination(destination, (file) => writeChunks(file, tar), options.signal);
    await rm(directory, { recursive: true, force: true });
  };
  let writing: Promise<void> = Promise.resolve();
  return {
    ...layout,
    push: (target, content, options) => collecting(layout.push(target, content, options)),
    ingest: (mediaType, content, options) => collecting(layout.ingest(mediaType, content, options)),
    commit(options = {}) {
      const written = write(options);
      writing = written.catch(() => {});
      return written;
    },
    async [Symbol.asyncDispose]() {
      // `return archive.commit()` leaves its block before the commit has ended.
      await writing;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Says at once, and not after the build, that nothing can be written there. */
async function collectingDirectory({ kind, path }: Destination): Promise<string> {
  if (kind === "stream") return await scratchDirectory();
  const directory = besideName(path);
  await makeDirectory(dirname(path));
  await mkdir(directory);
  return directory;
}
