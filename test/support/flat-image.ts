import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join, posix } from "node:path";
import { gunzipSync } from "node:zlib";
import { contentOf, readAll, type BlobSource, type Manifest } from "@undocked/registry";
import { readTar } from "@undocked/registry/tar";

/** What is at a path of an image, in the words of the Dockerfile corpus. */
export interface FlatNode {
  readonly type: "file" | "dir" | "symlink" | "fifo" | "char" | "block";
  /** Four octal digits. */
  mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  /** Of files. */
  readonly content?: Buffer;
  readonly linkTarget?: string;
  readonly dev?: readonly [number, number];
}

/** By absolute path; names of one file hold the same node. */
export type FlatImage = ReadonlyMap<string, FlatNode>;

/**
 * Unpacks an image in memory, by the image specification alone (layer.md): it shares nothing with the builder but the
 * reader of tar headers. Layers are gzip.
 */
export async function flatten({ layers }: Manifest, source: BlobSource): Promise<FlatImage> {
  const image = new Map<string, FlatNode>();
  for (const layer of layers) {
    const tar = gunzipSync(await readAll(source.fetch(layer)));
    const own = new Set<string>();
    for await (const { header, body } of readTar(contentOf(tar))) {
      const path = posix.resolve("/", header.path);
      if (path === "/") continue;
      const name = posix.basename(path);
      const parent = posix.dirname(path);
      if (parent !== "/" && image.get(parent)?.type !== "dir")
        throw new Error(
          `${path} is in no directory: its parent is ${image.get(parent)?.type ?? "not there"}`,
        );
      if (name === ".wh..wh..opq") {
        for (const below of image.keys())
          if (below.startsWith(`${parent}/`) && !own.has(below)) image.delete(below);
        continue;
      }
      if (name.startsWith(".wh.")) {
        removeAll(image, posix.join(parent, name.slice(4)));
        continue;
      }
      own.add(path);
      if (header.kind === "hardlink") {
        const target = image.get(posix.resolve("/", header.linkTarget ?? ""));
        if (target === undefined) throw new Error(`${path} is a link to ${String(header.linkTarget)}`);
        removeAll(image, path);
        image.set(path, target);
        continue;
      }
      if (header.kind !== "directory" || image.get(path)?.type !== "dir") removeAll(image, path);
      image.set(path, {
        type: types[header.kind],
        mode: octal(header.mode),
        uid: header.uid,
        gid: header.gid,
        mtime: header.mtime,
        ...(header.kind === "file" ? { content: Buffer.from(await readAll(body)) } : {}),
        ...(header.kind === "symlink" ? { linkTarget: header.linkTarget ?? "" } : {}),
        ...(header.kind === "character-device" || header.kind === "block-device"
          ? { dev: [header.deviceMajor ?? 0, header.deviceMinor ?? 0] as const }
          : {}),
      });
    }
  }
  return image;
}

/** The same of a directory that an outside tool has unpacked. */
export async function flattenDirectory(directory: string): Promise<FlatImage> {
  const image = new Map<string, FlatNode>();
  const inodes = new Map<number, FlatNode>();
  // By hand: readdir's own recursion goes through links.
  const ahead = [""];
  for (let below = ahead.pop(); below !== undefined; below = ahead.pop()) {
    for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
      const name = posix.join(below, entry.name);
      if (entry.isDirectory()) ahead.push(name);
      image.set(`/${name}`, await nodeAt(join(directory, name), inodes));
    }
  }
  return image;
}

async function nodeAt(host: string, inodes: Map<number, FlatNode>): Promise<FlatNode> {
  const stats = await lstat(host);
  const known = inodes.get(stats.ino);
  const device = stats.isCharacterDevice() || stats.isBlockDevice();
  const node: FlatNode = known ?? {
    type: stats.isFile()
      ? "file"
      : stats.isDirectory()
        ? "dir"
        : stats.isSymbolicLink()
          ? "symlink"
          : stats.isFIFO()
            ? "fifo"
            : stats.isCharacterDevice()
              ? "char"
              : "block",
    mode: octal(stats.mode & 0o7777),
    uid: stats.uid,
    gid: stats.gid,
    mtime: Math.floor(stats.mtimeMs / 1000),
    ...(stats.isFile() ? { content: await readFile(host) } : {}),
    ...(stats.isSymbolicLink() ? { linkTarget: await readlink(host) } : {}),
    ...(device ? { dev: [stats.rdev >> 8, stats.rdev & 0xff] as const } : {}),
  };
  if (!stats.isDirectory()) inodes.set(stats.ino, node);
  return node;
}

/** What the corpus says of a path; of what is absent nothing is asked. */
export interface ExpectedNode {
  readonly type: string;
  readonly mode?: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtime?: number;
  readonly content?: string;
  readonly sha256?: string;
  readonly size?: number;
  readonly linkTarget?: string;
  readonly dev?: readonly number[];
  readonly hardlinkOf?: string;
}

/** Two objects that are equal if the image is as the corpus has it. */
export function compared(
  image: FlatImage,
  expected: Readonly<Record<string, ExpectedNode>>,
): { readonly seen: unknown; readonly wanted: unknown } {
  const seen: Record<string, object> = {};
  for (const [path, node] of image) {
    const want = expected[path];
    const { type, uid, gid, content } = node;
    seen[path] = {
      type,
      uid,
      gid,
      ...(want?.mode === undefined ? {} : { mode: node.mode }),
      ...(want?.mtime === undefined ? {} : { mtime: node.mtime }),
      ...(want?.content === undefined ? {} : { content: content?.toString() }),
      ...(want?.size === undefined ? {} : { size: content?.byteLength }),
      ...(want?.sha256 === undefined ? {} : { sha256: content === undefined ? "" : sha256(content) }),
      ...(node.linkTarget === undefined ? {} : { linkTarget: node.linkTarget }),
      ...(node.dev === undefined ? {} : { dev: [...node.dev] }),
    };
  }
  const wanted = Object.fromEntries(
    Object.entries(expected).map(([path, { hardlinkOf: _, ...node }]) => [path, node]),
  );
  return {
    seen: { nodes: seen, groups: groupsOf(image.keys(), (path) => image.get(path)) },
    wanted: {
      nodes: wanted,
      groups: groupsOf(Object.keys(expected), (path) => expected[path]?.hardlinkOf ?? path),
    },
  };
}

/** Names that are one file; which of them is the first does not matter. */
function groupsOf(paths: Iterable<string>, identity: (path: string) => unknown): string[][] {
  const groups = new Map<unknown, string[]>();
  for (const path of paths) groups.set(identity(path), [...(groups.get(identity(path)) ?? []), path]);
  return [...groups.values()]
    .filter((names) => names.length > 1)
    .map((names) => names.toSorted())
    .toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1));
}

function removeAll(image: Map<string, FlatNode>, path: string): void {
  image.delete(path);
  for (const below of image.keys()) if (below.startsWith(`${path}/`)) image.delete(below);
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

const types = {
  file: "file",
  directory: "dir",
  symlink: "symlink",
  fifo: "fifo",
  "character-device": "char",
  "block-device": "block",
} as const;
