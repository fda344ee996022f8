import { randomUUID } from "node:crypto";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ifPresent } from "../files/absent.ts";
import { makeDirectory } from "../files/make-directory.ts";
import { placeNew } from "../files/place-new.ts";

/** A lock is held for a few milliseconds; one this old was left by a process that was killed. */
const STALE_MS = 30_000;

/**
 * Does work that no other process does at the same time, as long as all of them ask for the same lock file.
 *
 * @param work - calls `confirm` right before what cannot be undone; it throws if the lock was taken over meanwhile
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: (confirm: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const token = randomUUID();
  await acquire(path, token, signal);
  const isOurs = async (): Promise<boolean> => (await ifPresent(readFile(path, "utf8"))) === token;
  try {
    return await work(async () => {
      if (!(await isOurs())) throw new Error(`${path} was taken over by another process.`);
    });
  } finally {
    if (await isOurs()) await rm(path, { force: true });
  }
}

async function acquire(path: string, token: string, signal: AbortSignal | undefined): Promise<void> {
  await makeDirectory(dirname(path));
  const own = `${path}.${token}`;
  await writeFile(own, token, { flag: "wx" });
  try {
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      // A link, unlike a new file, has its text from the first moment on.
      if (await placeNew(own, path)) return;
      const held = await ifPresent(stat(path));
      // The clock of the file system, as written by us, is what ages are compared by.
      const now = await stat(own);
      const waited = attempt * 10;
      if (held !== undefined && now.mtimeMs + waited - held.mtimeMs > STALE_MS)
        await rm(path, { force: true });
      else await sleep(5 + Math.random() * 10, undefined, signal === undefined ? {} : { signal });
    }
  } finally {
    await rm(own, { force: true });
  }
}
