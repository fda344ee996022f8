import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  linkSync,
  writeFileSync,
  chmodSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { memoryStore, readAll } from "@undocked/registry";
import { readTar, type TarHeader } from "@undocked/registry/tar";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryTree } from "../../packages/core/src/context/directory-tree.ts";
import { walkTree } from "../../packages/core/src/context/source-tree.ts";
import { makeLayer } from "../../packages/core/src/layer/make-layer.ts";
import { copy } from "../../packages/core/src/rootfs/copy.ts";
import { emptyRootFs } from "../../packages/core/src/rootfs/rootfs.ts";

/* Our tars against other people's readers, and theirs against ours. */

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
  mkdirSync(join(directory, "tree/sub/deeper"), { recursive: true });
  writeFileSync(join(directory, "tree/file"), "content");
  writeFileSync(join(directory, "tree/empty"), "");
  writeFileSync(join(directory, `tree/${"n".repeat(150)}`), "long name");
  writeFileSync(join(directory, "tree/sub/日本"), "name that is not ASCII");
  writeFileSync(join(directory, "tree/sub/deeper/large"), Buffer.alloc(3_000_000, "0123456789"));
  chmodSync(join(directory, "tree/file"), 0o4755);
  chmodSync(join(directory, "tree/sub"), 0o1777);
  linkSync(join(directory, "tree/file"), join(directory, "tree/linked"));
  symlinkSync("t".repeat(200), join(directory, "tree/long-link"));
  symlinkSync("../file", join(directory, "tree/sub/link"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function layerOf(tree: string): Promise<Uint8Array> {
  const source = { kind: "path", tree: directoryTree(tree), path: "." } as const;
  const entries = copy(emptyRootFs(), { sources: [source], destination: "/", match: () => false, now: 0 });
  const store = memoryStore();
  const { descriptor } = await makeLayer(store, entries);
  return readAll(store.fetch(descriptor));
}

async function* whole(tar: Uint8Array): AsyncGenerator<Uint8Array> {
  yield tar;
}

async function headersOf(tar: Uint8Array): Promise<TarHeader[]> {
  const headers = [];
  for await (const { header } of readTar(whole(tar))) headers.push(header);
  return headers;
}

function attributesOf(tree: string): unknown[] {
  return [...walkTree(directoryTree(tree), "/")].map(({ path, node }) => {
    const { kind, mode, mtime, size, linkTarget, linkGroup } = node;
    return [path, kind, mode, kind === "directory" ? 0 : mtime, size, linkTarget, linkGroup !== undefined];
  });
}

const noTar = !existsSync("/bin/tar");
const noPython = !existsSync("/usr/bin/python3");

test.skipIf(noTar)("GNU tar unpacks our layer into the same tree", async () => {
  const out = join(directory, "out");
  mkdirSync(out);
  const blob = await layerOf(join(directory, "tree"));
  execFileSync("tar", ["-xzpf", "-", "-C", out], { input: blob });
  expect(attributesOf(out)).toEqual(attributesOf(join(directory, "tree")));
});

test.skipIf(noPython)("Python's tarfile reads each member of our layer as we meant it", async () => {
  const tar = gunzipSync(await layerOf(join(directory, "tree")));
  const script = `
import json, sys, tarfile, io
t = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
print(json.dumps([[m.name, m.mode, m.uid, m.gid, m.size, m.mtime, m.linkname] for m in t]))`;
  const seen: unknown = JSON.parse(execFileSync("python3", ["-c", script], { input: tar }).toString());
  const meant = (await headersOf(tar)).map(({ path, mode, uid, gid, size, mtime, linkTarget }) => [
    path,
    mode,
    uid,
    gid,
    size,
    mtime,
    linkTarget ?? "",
  ]);
  expect(seen).toEqual(meant);
});

describe("tars that others wrote", () => {
  for (const format of ["gnu", "oldgnu", "pax", "posix", "ustar", "v7"]) {
    test.skipIf(noTar)(`GNU tar's format ${format}`, async () => {
      if (format === "ustar" || format === "v7") {
        rmSync(join(directory, `tree/${"n".repeat(150)}`));
        rmSync(join(directory, "tree/long-link"));
      }
      const tar = execFileSync("tar", ["-C", directory, `--format=${format}`, "-cf", "-", "tree"], {
        maxBuffer: 100_000_000,
      });
      const headers = new Map((await headersOf(tar)).map((header) => [header.path, header]));
      const expected = [...walkTree(directoryTree(join(directory, "tree")), "/")];
      expect(headers.size).toBe(expected.length + 1);
      for (const { path, node } of expected) {
        const header = headers.get(`tree${path}`);
        expect(header).toMatchObject({ mode: node.mode, mtime: node.mtime });
        if (header?.kind === "hardlink") continue;
        expect(header).toMatchObject({ kind: node.kind, size: node.size });
        expect(header?.linkTarget).toBe(node.linkTarget);
      }
    });
  }

  test.skipIf(noTar)("a sparse file of GNU's old form is refused, as every runtime refuses it", async () => {
    execFileSync("truncate", ["-s", "10M", join(directory, "hole")]);
    const tar = execFileSync("tar", ["-C", directory, "--format=gnu", "--sparse", "-cf", "-", "hole"]);
    await expect(headersOf(tar)).rejects.toMatchObject({ code: "TAR_INVALID" });
  });

  for (const version of ["0.0", "0.1", "1.0"]) {
    test.skipIf(noTar)(`sparse files of pax, version ${version}, have what GNU tar unpacks`, async () => {
      const from = join(directory, "sparse");
      mkdirSync(from);
      writeSparse(join(from, "hole-first"), 1_051_576, [[1_048_576, "END".repeat(1000)]]);
      writeSparse(join(from, "hole-last"), 1_048_576, [[0, "A".repeat(4096)]]);
      writeSparse(join(from, "all-hole"), 1_048_576, []);
      writeSparse(
        join(from, "n".repeat(120)),
        40 * 65_536,
        Array.from({ length: 40 }, (_, at) => [at * 65_536, String(at).repeat(2000)]),
      );
      writeFileSync(join(from, "small"), "not sparse");
      const options = ["--format=posix", "--sparse", `--sparse-version=${version}`];
      const tar = execFileSync("tar", ["-C", directory, ...options, "-cf", "-", "sparse"], {
        maxBuffer: 100_000_000,
      });
      const out = join(directory, "out");
      mkdirSync(out);
      execFileSync("tar", ["-xf", "-", "-C", out], { input: tar });
      const unpacked = readdirSync(join(out, "sparse")).map((name) => [
        `sparse/${name}`,
        sha256(readFileSync(join(out, "sparse", name))),
      ]);
      const read: string[][] = [];
      let sparse = 0;
      for await (const { header, body, isSparse } of readTar(whole(tar))) {
        if (isSparse === true) sparse += 1;
        const bytes = await readAll(body);
        expect(bytes.byteLength).toBe(header.size);
        if (header.kind === "file") read.push([header.path, sha256(bytes)]);
      }
      expect(Object.fromEntries(read)).toEqual(Object.fromEntries(unpacked));
      expect(sparse).toBe(4);
    });
  }
});

function writeSparse(path: string, size: number, parts: readonly (readonly [number, string])[]): void {
  const file = openSync(path, "w");
  ftruncateSync(file, size);
  for (const [at, text] of parts) writeSync(file, text, at);
  closeSync(file);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
