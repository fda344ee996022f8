import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentOf, readAll, type Descriptor } from "@undocked/registry";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { contentCache } from "./content-cache.ts";

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "undocked-content-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const mediaType = "application/octet-stream";
const small = Buffer.from("small");
const large = Buffer.alloc(3_000_000, "large");

const keep = (bytes: Uint8Array): Promise<Descriptor> =>
  contentCache(directory).ingest(mediaType, contentOf(bytes));
const pathOf = ({ digest }: Descriptor): string => join(directory, "blobs", digest.replace(":", "/"));

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Root may read everything. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return await work();
  const nobody = 65534;
  for (const path of ["", "blobs", "blobs/sha256"]) chownSync(join(directory, path), nobody, nobody);
  process.seteuid?.(nobody);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}

const damages: readonly [string, (path: string) => void][] = [
  ["a bit at its end", (path) => flip(path, statSync(path).size - 1)],
  ["a bit at its beginning", (path) => flip(path, 0)],
  ["an end too early", (path) => truncateSync(path, 3)],
  ["a directory in its place", (path) => (rmSync(path), mkdirSync(join(path, "a"), { recursive: true }))],
  ["a link to itself in its place", (path) => (rmSync(path), symlinkSync(path, path))],
  ["a link to nothing in its place", (path) => (rmSync(path), symlinkSync("nothing", path))],
];

describe.each([
  ["small", small],
  ["large", large],
])("%s content", (_, bytes) => {
  test.each(damages)(
    "with %s is missing before its first byte, and can be written again",
    async (_, harm) => {
      const target = await keep(bytes);
      harm(pathOf(target));
      const store = contentCache(directory);
      const given: Uint8Array[] = [];
      const reading = async (): Promise<void> => {
        for await (const chunk of store.fetch(target)) given.push(chunk);
      };
      await expect(reading()).rejects.toMatchObject({ name: "ContentError" });
      expect([given, await store.exists(target)]).toEqual([[], false]);
      await store.push(target, contentOf(bytes));
      expect(Buffer.from(await readAll(contentCache(directory).fetch(target))).equals(bytes)).toBe(true);
    },
  );

  test("that may not be read is missing", async () => {
    const target = await keep(bytes);
    chmodSync(pathOf(target), 0);
    const store = contentCache(directory);
    await asNobody(async () => {
      await expect(readAll(store.fetch(target))).rejects.toMatchObject({ name: "ContentError" });
      expect(await store.exists(target)).toBe(false);
    });
  });

  test("is touched when it is read", async () => {
    const target = await keep(bytes);
    utimesSync(pathOf(target), 1_700_000_000, 1_700_000_000);
    await readAll(contentCache(directory).fetch(target));
    expect(Date.now() - statSync(pathOf(target)).mtimeMs).toBeLessThan(60_000);
  });
});

test.each(damages.slice(3))("%s is no content", async (_, harm) => {
  const target = await keep(small);
  harm(pathOf(target));
  expect(await contentCache(directory).exists(target)).toBe(false);
});

test("what is written over a directory replaces it", async () => {
  const target = await keep(small);
  rmSync(pathOf(target));
  mkdirSync(join(pathOf(target), "a"), { recursive: true });
  expect(await keep(small)).toEqual(target);
  expect(readFileSync(pathOf(target), "utf8")).toBe("small");
});

test.each(["oci-layout", "index.json"])(
  "a damaged %s is made anew when something is written",
  async (name) => {
    await keep(small);
    const path = join(directory, name);
    const before = readFileSync(path, "utf8");
    for (const harm of [
      () => writeFileSync(path, ""),
      () => writeFileSync(path, before.slice(1)),
      () => (rmSync(path), mkdirSync(join(path, "a"), { recursive: true })),
      () => (rmSync(path), symlinkSync(name, path)),
    ]) {
      harm();
      const target = await keep(large);
      rmSync(pathOf(target));
      expect(readFileSync(path, "utf8")).toBe(before);
    }
    expect(readdirSync(directory).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  },
);

test.each(["", "blobs", "blobs/sha256"])(
  "a file or a link to nothing at %j makes way for a directory",
  async (name) => {
    const path = join(directory, name);
    for (const harm of [() => writeFileSync(path, "file"), () => symlinkSync("nothing", path)]) {
      await keep(small);
      rmSync(path, { recursive: true });
      harm();
      const target = await keep(small);
      expect(Buffer.from(await readAll(contentCache(directory).fetch(target))).toString()).toBe("small");
    }
  },
);

test("several that begin with nothing do not take away what the others make", async () => {
  for (let round = 0; round < 60; round += 1) {
    const fresh = join(directory, String(round));
    const written = await Promise.all(
      Array.from({ length: 6 }, (_, number) =>
        contentCache(fresh).ingest(mediaType, contentOf(Buffer.from(`${number}`))),
      ),
    );
    for (const target of written) expect(await contentCache(fresh).exists(target)).toBe(true);
    expect(readdirSync(fresh).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  }
});

test("what is missing is not taken away when somebody brings it meanwhile", async () => {
  const target = await keep(small);
  const path = pathOf(target);
  for (let round = 0; round < 200; round += 1) {
    rmSync(path);
    const store = contentCache(directory);
    await Promise.all([readAll(store.fetch(target)).catch(() => {}), keep(small)]);
    expect(await store.exists(target)).toBe(true);
  }
});

test("a link to a directory stays", async () => {
  const elsewhere = join(directory, "elsewhere");
  mkdirSync(elsewhere);
  symlinkSync("elsewhere", join(directory, "blobs"));
  await keep(small);
  expect(readdirSync(elsewhere)).toEqual(["sha256"]);
});

test("a digest that is a path reads nothing and removes nothing", async () => {
  writeFileSync(join(directory, "victim"), "victim");
  const target: Descriptor = { mediaType, digest: "sha256:../../victim", size: 6 };
  await expect(readAll(contentCache(directory).fetch(target))).rejects.toMatchObject({
    code: "DIGEST_INVALID",
  });
  expect(readFileSync(join(directory, "victim"), "utf8")).toBe("victim");
});
