import { execFileSync } from "node:child_process";
import {
  existsSync,
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

async function headersOf(tar: Uint8Array): Promise<TarHeader[]> {
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield tar;
  }
  const headers = [];
  for await (const { header } of readTar(whole())) headers.push(header);
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

  test.skipIf(noTar)("a sparse file is refused, not read wrongly", async () => {
    execFileSync("truncate", ["-s", "10M", join(directory, "hole")]);
    for (const format of ["gnu", "posix"]) {
      const tar = execFileSync("tar", [
        "-C",
        directory,
        `--format=${format}`,
        "--sparse",
        "-cf",
        "-",
        "hole",
      ]);
      await expect(headersOf(tar)).rejects.toMatchObject({ code: "TAR_INVALID" });
    }
  });
});
