import type { FileContent, SourceNode } from "../context/source-tree.ts";
import type { Entry, FileEntry } from "../layer/entry.ts";
import { compareBytes } from "../context/path.ts";
import { LayerError } from "../layer/layer-error.ts";

/** Makes a layer's entries of what is at paths. */
export interface EntryList {
  readonly entries: readonly Entry[];
  /**
   * In byte order of paths: of several names of one file, the first carries the content.
   *
   * @param path - relative to the root
   */
  add(path: string, node: SourceNode, content: FileContent | undefined): void;
  /** Adds what was made into entries before. */
  addAll(entries: readonly Entry[], from: number, to: number): void;
}

export function entryList(): EntryList {
  const entries: Entry[] = [];
  const first = new Map<string, FileEntry>();
  return {
    entries,
    addAll(more, from, to) {
      for (let at = from; at < to; at++) {
        const entry = more[at];
        if (entry !== undefined) entries.push(entry);
      }
    },
    add(path, node, content) {
      const entry = entryOf(path, node, content);
      const { linkGroup } = node;
      if (entry.kind !== "file" || linkGroup === undefined) {
        entries.push(entry);
        return;
      }
      const earlier = first.get(linkGroup);
      if (earlier === undefined) {
        first.set(linkGroup, entry);
        entries.push(entry);
      } else {
        const { content: _, ...attributes } = entry;
        entries.push({ ...attributes, kind: "hardlink", linkTarget: earlier.path });
      }
    },
  };
}

function entryOf(path: string, node: SourceNode, content: FileContent | undefined): Entry {
  const { kind, mode, uid, gid, mtime, linkTarget, deviceMajor, deviceMinor, xattrs } = node;
  if (kind === "file") {
    if (content === undefined) throw noFile(path);
    const file: FileEntry = { kind, path, mode, uid, gid, mtime, content };
    return xattrs === undefined ? file : { ...file, xattrs };
  }
  const plain = { path, mode, uid, gid, mtime };
  const attributes = xattrs === undefined ? plain : { ...plain, xattrs };
  switch (kind) {
    case "directory":
    case "fifo":
      return { kind, ...attributes };
    case "symlink":
      return { kind, ...attributes, linkTarget: linkTarget ?? "" };
    case "character-device":
    case "block-device":
      return { kind, ...attributes, deviceMajor: deviceMajor ?? 0, deviceMinor: deviceMinor ?? 0 };
    case "socket":
      throw new LayerError("LAYER_INVALID", `/${path} is a socket, which no layer can hold.`);
  }
}

function noFile(path: string): LayerError {
  return new LayerError("LAYER_INVALID", `/${path} is not a file of the image.`);
}

/** Of paths relative to the root; of the root itself, the empty string. */
export function relativePath(directory: string, name: string): string {
  // Joined, it is one text in memory; a template's stays in its parts.
  return directory === "" ? name : [directory, name].join("/");
}

/**
 * Goes through a directory in byte order of paths: what is in `a` comes after `a-b`.
 *
 * @param enter - gives the names in a directory, in byte order, once it is its turn
 * @param visit - gives what was visited, if it is a directory
 */
export function walkInPathOrder<T>(
  top: T,
  enter: (directory: T) => readonly string[],
  visit: (directory: T, name: string) => T | undefined,
): void {
  // A stack of its own: a tree may be deeper than the call stack.
  const ahead = [walkOf(top, enter)];
  for (let walk = ahead.at(-1); walk !== undefined; walk = ahead.at(-1)) {
    const name = walk.names[walk.next];
    const last = walk.visited.at(-1);
    if (last !== undefined && (name === undefined || compareBytes(`${last.name}/`, name) < 0)) {
      walk.visited.pop();
      ahead.push(walkOf(last.directory, enter));
    } else if (name === undefined) {
      ahead.pop();
    } else {
      walk.next += 1;
      const directory = visit(walk.directory, name);
      if (directory !== undefined) walk.visited.push({ name, directory });
    }
  }
}

/** How far a directory has been gone through. */
interface Walk<T> {
  readonly directory: T;
  readonly names: readonly string[];
  next: number;
  /** Directories in it that are still to be entered. */
  readonly visited: { readonly name: string; readonly directory: T }[];
}

function walkOf<T>(directory: T, enter: (directory: T) => readonly string[]): Walk<T> {
  return { directory, names: enter(directory), next: 0, visited: [] };
}
