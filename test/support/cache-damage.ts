import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Random } from "./library-layout.ts";

/** One way in which a file of a cache may come to harm. */
export type Harm = (path: string, random: Random, others: readonly string[]) => void;

/** What a file may become; each name follows "one". */
export const harms: Readonly<Record<string, Harm>> = {
  "has another bit"(path, random) {
    const bytes = readFileSync(path);
    const at = random(Math.max(bytes.byteLength, 1));
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    writeFileSync(path, bytes);
  },
  "ends too early": (path, random) => truncateSync(path, random(Math.max(statSync(path).size, 1))),
  "goes on after its end": (path, random) =>
    appendFileSync(path, Buffer.alloc(1 + random(5000), random(256))),
  "is empty": (path) => writeFileSync(path, ""),
  "is full of zeros": (path) => writeFileSync(path, Buffer.alloc(statSync(path).size)),
  "has the bytes of another, and that one its"(path, random, others) {
    const other = others[random(others.length)] ?? path;
    const bytes = readFileSync(other);
    copyFileSync(path, other);
    writeFileSync(path, bytes);
  },
  "has a copy under another's name": (path, random, others) => {
    const other = others[random(others.length)] ?? path;
    if (other !== path) copyFileSync(path, other);
  },
  "has a copy under a name of its kind"(path, random) {
    const digit = random(16).toString(16);
    copyFileSync(path, join(dirname(path), `${digit}${basename(path).slice(1)}-`.slice(0, 64)));
  },
  "is a directory"(path) {
    rmSync(path);
    mkdirSync(path);
  },
  "is a directory with something in it"(path) {
    rmSync(path);
    mkdirSync(join(path, "a/b"), { recursive: true });
    writeFileSync(join(path, "a/b/c"), "c");
  },
  "is a fifo"(path) {
    rmSync(path);
    execFileSync("mkfifo", [path]);
  },
  "is a link to a device without end"(path) {
    rmSync(path);
    symlinkSync("/dev/zero", path);
  },
  "is a link to nothing"(path) {
    rmSync(path);
    symlinkSync("nothing/there", path);
  },
  "is a link to itself"(path) {
    rmSync(path);
    symlinkSync(basename(path), path);
  },
  "is a link to another"(path, random, others) {
    const other = others[random(others.length)] ?? path;
    if (other === path) return;
    rmSync(path);
    symlinkSync(other, path);
  },
  "is not there": (path) => rmSync(path),
  "may be read by nobody": (path) => chmodSync(path, 0),
};

/** All files of a cache that can be read, by their kinds: the directory that they lie in, and for content what it is. */
export function filesOfCache(cache: string): ReadonlyMap<string, readonly string[]> {
  const kinds = new Map<string, string[]>();
  for (const entry of readdirSync(cache, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if ((statSync(path).mode & 0o400) === 0) continue;
    const kind = kindOf(path.slice(cache.length + 1), path);
    kinds.set(kind, [...(kinds.get(kind) ?? []), path]);
  }
  return new Map([...kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function kindOf(name: string, path: string): string {
  // Versions of a form are no kinds of their own.
  if (!name.startsWith("content/")) return name.includes("/") ? dirname(name).replace(/.v\d+$/, "") : name;
  if (!name.startsWith("content/blobs/")) return name;
  const [first] = readFileSync(path);
  // Of gzip, of JSON, of neither.
  if (first === 0x1f) return "content: layers";
  return first === 0x7b ? "content: documents" : "content: files";
}
