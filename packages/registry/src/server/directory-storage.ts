import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, open, readdir, rm, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode, ifPresent } from "../files/absent.ts";
import { gatheringWriter } from "../files/chunks.ts";
import { makeDirectory } from "../files/make-directory.ts";
import { renameInto } from "../files/whole-file.ts";
import type { Draft, Storage } from "./storage.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Keeps everything in a directory, which may be used again: a file per key below `repositories`, and `drafts` for what is
 * being received. A blob mounted into a second repository is a hard link, so the disk frees it with its last name.
 */
export async function directoryStorage(directory: string): Promise<Storage> {
  const drafts = join(directory, "drafts");
  const pathOf = (key: string): string => join(directory, "repositories", ...key.split("/"));
  await makeDirectory(drafts);
  await removeStale(drafts);
  return {
    async open(key) {
      const path = pathOf(key);
      const status = await ifPresent(stat(path));
      if (status === undefined || !status.isFile()) return undefined;
      const { size } = status;
      return {
        size,
        read: (start = 0, end = size) =>
          end <= start
            ? nothing()
            : createReadStream(path, { start, end: end - 1, highWaterMark: 256 * 1024 }),
      };
    },
    async put(key, bytes) {
      const draft = await openDraft(join(drafts, randomUUID()), pathOf);
      try {
        await draft.append(bytes);
        await draft.commit(key);
      } catch (error) {
        await draft.discard();
        throw error;
      }
    },
    async link(from, to) {
      await makeDirectory(dirname(pathOf(to)));
      try {
        await link(pathOf(from), pathOf(to));
        return true;
      } catch (error) {
        if (hasCode(error, "EEXIST")) return true;
        if (hasCode(error, "ENOENT")) return false;
        throw error;
      }
    },
    async remove(key) {
      return (await ifPresent(unlink(pathOf(key)).then(() => true))) ?? false;
    },
    async list(key) {
      const names = (await ifPresent(readdir(pathOf(key)))) ?? [];
      return names.sort();
    },
    draft: () => openDraft(join(drafts, randomUUID()), pathOf),
  };
}

async function openDraft(path: string, pathOf: (key: string) => string): Promise<Draft> {
  const file = await open(path, "wx");
  const writer = gatheringWriter(file);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) {
      isOpen = false;
      await file.close();
    }
  };
  return {
    append: (chunk) => writer.write(chunk),
    async *read() {
      await writer.flush();
      yield* createReadStream(path, { highWaterMark: 256 * 1024 });
    },
    async commit(key) {
      await writer.flush();
      await file.sync();
      await close();
      await renameInto(path, pathOf(key));
    },
    async discard() {
      await close();
      await rm(path, { force: true });
    },
  };
}

/** Drafts of a server that was killed. Young ones may belong to another server on the same directory. */
async function removeStale(drafts: string): Promise<void> {
  const now = Date.now();
  for (const name of await readdir(drafts)) {
    const status = await ifPresent(stat(join(drafts, name)));
    if (status !== undefined && now - status.mtimeMs > DAY_MS) await rm(join(drafts, name), { force: true });
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, void> {}
