import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { chmod, chown, link, lutimes, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { readAll } from "@undocked/registry";
import { writeTar, type TarEntry, type TarHeader } from "@undocked/registry/tar";

/** A file of the Dockerfile corpus, in a context or in an archive (test/corpus/dockerfile/README.md). */
export interface CorpusEntry {
  readonly path: string;
  readonly type?: "file" | "dir" | "symlink" | "hardlink" | "fifo" | "socket" | "char";
  readonly mode?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly content?: string;
  readonly base64?: string;
  readonly tar?: readonly CorpusEntry[];
  readonly compress?: "gzip" | "bzip2" | "xz" | "zstd";
  readonly linkTarget?: string;
  readonly mtime?: number;
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly devmajor?: number;
  readonly devminor?: number;
}

/** What an entry has that does not say. */
export const corpusMtime = 1_577_836_800;

const run = promisify(execFile);

/** What cannot be made without it. */
export function needsRoot(entry: CorpusEntry): boolean {
  return entry.type === "char" || (entry.uid ?? 0) !== 0 || (entry.gid ?? 0) !== 0;
}

/** The programs that make it. */
export function toolsFor({ type, compress }: CorpusEntry): readonly string[] {
  const compressor = compress === undefined || compress === "gzip" ? [] : [compress];
  return [...compressor, ...(type === "fifo" ? ["mkfifo"] : []), ...(type === "char" ? ["mknod"] : [])];
}

/** Puts entries below a new directory, which goes with the handle. */
export async function corpusDirectory(
  entries: readonly CorpusEntry[],
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "undocked-corpus-"));
  for (const entry of entries) await makeEntry(path, entry);
  const times = new Map<string, number>();
  for (const entry of entries) {
    // Parents first, so that what an entry says itself comes later and wins.
    for (let at = dirname(entry.path); at !== "." && at !== "/"; at = dirname(at))
      if (!times.has(at)) times.set(at, corpusMtime);
    times.set(entry.path, entry.mtime ?? corpusMtime);
  }
  for (const [name, mtime] of times) await lutimes(join(path, name), mtime, mtime);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function makeEntry(root: string, entry: CorpusEntry): Promise<void> {
  const path = join(root, entry.path);
  await mkdir(dirname(path), { recursive: true });
  switch (entry.type ?? "file") {
    case "dir":
      await mkdir(path, { recursive: true });
      break;
    case "symlink":
      await symlink(entry.linkTarget ?? "", path);
      return;
    case "hardlink":
      await link(join(root, entry.linkTarget ?? ""), path);
      return;
    case "fifo":
      await run("mkfifo", [path]);
      break;
    case "socket":
      await makeSocket(path);
      break;
    case "char":
      await run("mknod", [path, "c", String(entry.devmajor ?? 1), String(entry.devminor ?? 3)]);
      break;
    case "file":
      await writeFile(path, await contentOf(entry));
  }
  if (entry.uid !== undefined || entry.gid !== undefined) await chown(path, entry.uid ?? 0, entry.gid ?? 0);
  await chmod(path, modeOf(entry));
}

/** Its name stays when the one who listens has gone without tidying up. */
async function makeSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.bound`, resolve));
  // Node takes away the name that it bound, and no other.
  await link(`${path}.bound`, path);
  await new Promise((resolve) => server.close(resolve));
}

export async function contentOf(entry: CorpusEntry): Promise<Uint8Array> {
  if (entry.tar !== undefined) return compressed(await tarOf(entry.tar), entry.compress);
  const plain =
    entry.base64 === undefined ? Buffer.from(entry.content ?? "") : Buffer.from(entry.base64, "base64");
  return compressed(plain, entry.compress);
}

async function compressed(plain: Uint8Array, by: CorpusEntry["compress"]): Promise<Uint8Array> {
  if (by === undefined) return plain;
  if (by === "gzip") return gzipSync(plain);
  const running = run(by, ["-c"], { encoding: "buffer", maxBuffer: 64 * 1024 * 1024 });
  running.child.stdin?.end(plain);
  return (await running).stdout;
}

/** A tar of entries, as a base's layer or an archive has them; to the byte as the corpus' own, which Go wrote. */
export async function tarOf(entries: readonly CorpusEntry[]): Promise<Uint8Array> {
  const tar = Buffer.from(await readAll(writeTar(tarEntries(entries))));
  for (let at = 0; at + 512 <= tar.byteLength;) {
    const header = tar.subarray(at, at + 512);
    const size = numberAt(header, 124, 12);
    if (header.toString("latin1", 257, 262) === "ustar") asGoWrites(header);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return tar;
}

/** Go fills its numbers with zeros, closes them with a NUL, and says nothing of devices where there is none. */
function asGoWrites(header: Buffer): void {
  for (const [at, length] of [
    [100, 8],
    [108, 8],
    [116, 8],
    [124, 12],
    [136, 12],
  ] as const) {
    const digits = numberAt(header, at, length)
      .toString(8)
      .padStart(length - 1, "0");
    header.write(`${digits}\0`, at, "latin1");
  }
  const type = header.toString("latin1", 156, 157);
  if (type !== "3" && type !== "4") header.fill(0, 329, 345);
  header.write("        ", 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

function numberAt(header: Buffer, at: number, length: number): number {
  return Number.parseInt(header.toString("latin1", at, at + length), 8) || 0;
}

export function tarEntries(entries: readonly CorpusEntry[]): TarEntry[] {
  return entries.map((entry) => {
    const kind = tarKinds[entry.type ?? "file"];
    const body = kind === "file" ? bytesOf(entry) : undefined;
    const header = {
      path: entry.path,
      kind,
      mode: modeOf(entry),
      uid: entry.uid ?? 0,
      gid: entry.gid ?? 0,
      mtime: entry.mtime ?? corpusMtime,
      size: body?.byteLength ?? 0,
      ...(entry.linkTarget === undefined ? {} : { linkTarget: entry.linkTarget }),
      ...(kind === "character-device"
        ? { deviceMajor: entry.devmajor ?? 1, deviceMinor: entry.devminor ?? 3 }
        : {}),
    };
    return { header, ...(body === undefined ? {} : { body }) };
  });
}

function bytesOf(entry: CorpusEntry): Uint8Array {
  return entry.base64 === undefined ? Buffer.from(entry.content ?? "") : Buffer.from(entry.base64, "base64");
}

function modeOf({ mode, type }: CorpusEntry): number {
  if (mode !== undefined) return Number.parseInt(mode, 8);
  return type === "dir" ? 0o755 : type === "symlink" ? 0o777 : 0o644;
}

const tarKinds: Readonly<Record<NonNullable<CorpusEntry["type"]>, TarHeader["kind"]>> = {
  file: "file",
  socket: "file",
  dir: "directory",
  symlink: "symlink",
  hardlink: "hardlink",
  fifo: "fifo",
  char: "character-device",
};
