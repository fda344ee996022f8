import { cleanPath } from "../context/path.ts";
import type { Entry } from "../layer/entry.ts";
import { changeSet } from "./change-set.ts";
import { makeDirectories } from "./directories.ts";
import type { Owner } from "./owner.ts";
import type { RootFs } from "./rootfs.ts";

export interface WorkdirOptions {
  /** The current USER. */
  readonly owner: Owner;
  /** Seconds since 1970. */
  readonly now: number;
}

/**
 * What WORKDIR does to the files: the directory and its parents come to be, through links, dangling ones too; what exists
 * is left as it is.
 *
 * @param path - absolute, as the image's config will have it
 * @returns the layer's entries; none when all is there already
 * @throws {CopyError} `COPY_CONFLICT`
 */
export function workdir(root: RootFs, path: string, { owner, now }: WorkdirOptions): readonly Entry[] {
  const changes = changeSet(root);
  makeDirectories(changes, root.resolve(cleanPath(path)).path, { ...owner, mode: 0o755, mtime: now });
  return changes.entries();
}
