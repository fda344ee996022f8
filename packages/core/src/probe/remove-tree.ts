import { chmod, lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes a directory of our own, also what its owner may not look into. */
export async function removeTree(directory: string): Promise<void> {
  // Before, and not once it has failed: `rm` goes on removing behind its error. Whatever stays locked is its error then.
  await unlock(directory).catch(() => undefined);
  // Those that were started in it may be on their way out still.
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** No link is followed: a link is no directory. */
async function unlock(top: string): Promise<void> {
  const ahead = [top];
  for (let directory = ahead.pop(); directory !== undefined; directory = ahead.pop()) {
    const { mode } = await lstat(directory);
    if ((mode & 0o700) !== 0o700) await chmod(directory, mode | 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true }))
      if (entry.isDirectory()) ahead.push(join(directory, entry.name));
  }
}
