import { digestOf } from "@undocked/registry";
import { ContextError } from "./context-error.ts";
import { baseName, cleanPath, compareBytes, parentPath } from "./path.ts";
import type { FileContent, SourceNode, SourceTree } from "./source-tree.ts";

/** What {@link memoryTree} makes a path of: a file's content, or more said about it. */
export type MemoryFile =
  | string
  | Uint8Array
  | ({ readonly content?: string | Uint8Array } & Partial<Omit<SourceNode, "size">>);

/**
 * A tree of files given as values, by path. Missing parents are directories of mode 0755; a file's mode is 0644, its
 * owner 0:0, its time 1970, unless said otherwise.
 */
export function memoryTree(files: Readonly<Record<string, MemoryFile>>): SourceTree {
  const nodes = new Map<string, SourceNode>([["/", directory()]]);
  const contents = new Map<string, Uint8Array>();
  const names = new Map<string, Set<string>>();
  for (const [path, file] of Object.entries(files)) {
    const at = cleanPath(path);
    const { content, ...said } =
      typeof file === "string" || file instanceof Uint8Array ? { content: file } : file;
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const kind = said.kind ?? (said.linkTarget === undefined ? "file" : "symlink");
    if (kind === "file") contents.set(at, bytes ?? new Uint8Array(0));
    nodes.set(at, { ...attributesOf(kind), ...said, kind, size: bytes?.byteLength ?? 0 });
    for (let path = at; path !== "/"; path = parentPath(path)) {
      const parent = parentPath(path);
      if (!nodes.has(parent)) nodes.set(parent, directory());
      names.set(parent, (names.get(parent) ?? new Set()).add(baseName(path)));
    }
  }
  return {
    lstat: (path) => nodes.get(path),
    list: (path) => [...(names.get(path) ?? [])].sort(compareBytes),
    open(path) {
      const bytes = contents.get(path);
      if (bytes === undefined) throw new ContextError("FILE_CHANGED", `${path} is not a file.`);
      return bytesContent(bytes);
    },
  };
}

/** Bytes that are here already, as a file's content. */
export function bytesContent(bytes: Uint8Array): FileContent {
  return {
    size: bytes.byteLength,
    readAt: (position, length) => bytes.subarray(position, position + length),
    openFile: () => ({
      read: (into, position) => into.set(bytes.subarray(position, position + into.byteLength)),
      close() {},
    }),
    get identity() {
      return digestOf(bytes);
    },
    async *stream() {
      if (bytes.byteLength > 0) yield bytes;
    },
  };
}

function directory(): SourceNode {
  return { kind: "directory", ...attributesOf("directory"), size: 0 };
}

function attributesOf(kind: SourceNode["kind"]): Omit<SourceNode, "kind" | "size"> {
  const mode = kind === "directory" ? 0o755 : kind === "symlink" ? 0o777 : 0o644;
  return { mode, uid: 0, gid: 0, mtime: 0 };
}
