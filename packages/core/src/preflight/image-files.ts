import type { Platform } from "@undocked/registry";
import { ContextError } from "../context/context-error.ts";
import { parentPath } from "../context/path.ts";
import { resolveInside } from "../context/resolve.ts";
import type { FileContent, SourceNode } from "../context/source-tree.ts";
import { contentSource } from "../elf/byte-source.ts";
import type { ExecutableReport } from "../elf/inspect.ts";
import type { LibraryRoot } from "../elf/library-root.ts";
import type { RootFs } from "../rootfs/rootfs.ts";
import { fileFacts, parseFileFacts, reportOf, streamedFacts, type FileFacts } from "./file-facts.ts";

/** Where a path leads, and what the kernel looks at on the way. */
export interface Walk {
  /** As asked for. */
  readonly asked: string;
  /** Clean and absolute, without links. */
  readonly path: string;
  /** `undefined`: nothing is there. */
  readonly node: SourceNode | undefined;
  /** Directories that names were looked up in, in order. */
  readonly searched: readonly string[];
  /** Links that were followed: `/bin/sh -> busybox`. */
  readonly links: readonly string[];
  /** Why there is nothing, if it is not that a name is missing. */
  readonly fault?: "loop" | "not-a-directory";
}

/** An image's files, as a start would read them. */
export interface ImageFiles {
  readonly root: RootFs;
  /** @param path - absolute; `..` is followed as the kernel does */
  walk(path: string): Walk;
  /** Of a file, by its path without links. */
  facts(path: string): Promise<FileFacts>;
  report(path: string, platform: Platform): Promise<ExecutableReport>;
  /** All of a small file, links followed; `undefined`: there is none, or it is longer. */
  read(path: string, limit: number): Promise<Uint8Array | undefined>;
  readonly libraries: LibraryRoot;
}

/** Files of base layers are known by their index; new files are read. Nothing is asked twice. */
export function imageFiles(root: RootFs): ImageFiles {
  const known = new Map<string, Promise<FileFacts>>();

  function facts(path: string): Promise<FileFacts> {
    const before = known.get(path);
    if (before !== undefined) return before;
    const found = factsOf(root.open(path));
    known.set(path, found);
    return found;
  }

  async function read(path: string, limit: number): Promise<Uint8Array | undefined> {
    const { node, path: real, fault } = walk(root, path);
    if (node?.kind !== "file" || fault !== undefined || node.size > limit) return undefined;
    return bytesOf(root.open(real));
  }

  return {
    root,
    walk: (path) => walk(root, path),
    facts,
    report: async (path, platform) => reportOf(await facts(path), platform),
    read,
    libraries: {
      resolve(path) {
        const { node, path: real, fault } = walk(root, path);
        if (node === undefined || fault !== undefined) return undefined;
        const kind = node.kind === "file" || node.kind === "directory" ? node.kind : "other";
        return { path: real, kind, ...(node.linkGroup === undefined ? {} : { id: node.linkGroup }) };
      },
      elf: async (file) => (await facts(file.path)).elf,
      read: ({ path }, limit) => read(path, limit),
    },
  };
}

/** The facts of a file's content, from the index that came with it or else from its bytes. */
export async function factsOf(content: FileContent): Promise<FileFacts> {
  if (content.facts === null) return { format: "data" };
  const kept = content.facts === undefined ? undefined : parseFileFacts(content.facts);
  if (kept !== undefined) return kept;
  const source = contentSource(content);
  return source === undefined ? streamedFacts(content.stream(), content.size) : fileFacts(source);
}

async function bytesOf(content: FileContent): Promise<Uint8Array> {
  if (content.readAt !== undefined) return content.readAt(0, content.size);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content.stream()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function walk(root: RootFs, asked: string): Walk {
  const searched = new Set<string>();
  const links: string[] = [];
  const lstat = (path: string): SourceNode | undefined => {
    const node = root.lstat(path);
    if (path !== "/") searched.add(parentPath(path));
    if (node?.kind === "symlink") links.push(`${path} -> ${node.linkTarget ?? ""}`);
    return node;
  };
  const way = { asked, searched: [...searched], links };
  try {
    const { path, node, obstacle } = resolveInside({ lstat }, asked, { missing: "stop" });
    const isBlocked = obstacle !== undefined;
    return {
      ...way,
      searched: [...searched],
      path,
      node: isBlocked ? undefined : node,
      ...(isBlocked ? { fault: "not-a-directory" as const } : {}),
    };
  } catch (error) {
    if (!(error instanceof ContextError)) throw error;
    return { ...way, searched: [...searched], path: asked, node: undefined, fault: "loop" };
  }
}
