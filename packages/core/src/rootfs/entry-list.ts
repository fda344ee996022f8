import type { FileContent, SourceNode } from "../context/source-tree.ts";
import type { Entry, FileEntry } from "../layer/entry.ts";
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
}

export function entryList(): EntryList {
  const entries: Entry[] = [];
  const first = new Map<string, FileEntry>();
  return {
    entries,
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
