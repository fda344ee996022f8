import { cleanPath } from "../context/path.ts";
import type { Entry } from "../layer/entry.ts";
import { changeSet } from "./change-set.ts";
import { makeDirectories, type DirectoryStyle } from "./directories.ts";
import type { RootFs } from "./rootfs.ts";

/**
 * What WORKDIR does to the files: the directory and its parents come to be, through links, dangling ones too; what exists
 * is left as it is.
 *
 * @param path - absolute, as the image's config will have it
 * @param owner - the current USER's
 * @returns the layer's entries; none when all is there already
 * @throws {CopyError} `COPY_CONFLICT`
 */
export function workdir(root: RootFs, path: string, style: Omit<DirectoryStyle, "mode">): Entry[] {
  const changes = changeSet(root);
  makeDirectories(changes, root.resolve(cleanPath(path)).path, { ...style, mode: 0o755 });
  return changes.entries();
}
