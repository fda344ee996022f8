import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../oci/digest.ts";
import { encodeJson } from "../oci/json.ts";
import { MediaType } from "../oci/media-type.ts";
import { ociLayout } from "./layout.ts";
import { contentOf, readAll } from "./verify.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-layout-"));
});
afterEach(() => rm(directory, { recursive: true }));

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const manifestOf = (name: string) =>
  encodeJson({
    schemaVersion: 2,
    config: { mediaType: "a/b", digest: digestOf(name), size: name.length },
    layers: [],
  });
const names = async (): Promise<string[]> => (await readdir(directory)).sort();

describe("an OCI layout", () => {
  test("is made whole by the first blob", async () => {
    const layout = ociLayout(join(directory, "new", "layout"));
    const blob = await layout.ingest("a/b", contentOf(text("hello")));
    const files = await readdir(join(directory, "new", "layout"), { recursive: true });
    expect(files.sort()).toEqual([
      "blobs",
      "blobs/sha256",
      `blobs/sha256/${blob.digest.slice(7)}`,
      "index.json",
      "oci-layout",
    ]);
    expect(await readFile(join(directory, "new/layout/oci-layout"), "utf8")).toBe(
      '{"imageLayoutVersion":"1.0.0"}',
    );
  });

  test("keeps several names and what others wrote about theirs", async () => {
    const layout = ociLayout(directory);
    const one = await layout.ingest(MediaType.ociManifest, contentOf(manifestOf("1")));
    const two = await layout.ingest(MediaType.ociManifest, contentOf(manifestOf("2")));
    await layout.tag({ ...one, annotations: { note: "kept" } }, "a");
    await layout.tag(one, "b");
    await layout.tag(two, "b");
    expect(JSON.parse(await readFile(join(directory, "index.json"), "utf8"))).toEqual({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [
        { ...one, annotations: { note: "kept", "org.opencontainers.image.ref.name": "a" } },
        { ...two, annotations: { "org.opencontainers.image.ref.name": "b" } },
      ],
    });
    expect(await layout.resolve("a")).toEqual({ ...one, annotations: { note: "kept" } });
    expect(await layout.resolve("b")).toEqual(two);
  });

  test("finds a manifest by its digest, named or not", async () => {
    const layout = ociLayout(directory);
    const root = await layout.ingest(MediaType.ociManifest, contentOf(manifestOf("1")));
    expect(await layout.resolve(root.digest)).toEqual(root);
  });

  test("loses no name when many write at once", async () => {
    const writers = Array.from({ length: 20 }, () => ociLayout(directory));
    await Promise.all(
      writers.map(async (layout, number) => {
        const root = await layout.ingest(MediaType.ociManifest, contentOf(manifestOf(String(number % 5))));
        await layout.tag(root, `tag-${number}`);
      }),
    );
    const roots = await ociLayout(directory).roots();
    expect(roots).toHaveLength(20);
    expect(await names()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  test("goes on behind a process that was killed while it held the lock", async () => {
    const layout = ociLayout(directory);
    const root = await layout.ingest(MediaType.ociManifest, contentOf(manifestOf("1")));
    const lock = join(directory, ".index.json.lock");
    await writeFile(lock, "of a process that is no more");
    await utimes(lock, 1, 1);
    await layout.tag(root, "a");
    expect(await names()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  test("waits for the lock no longer than its caller does", async () => {
    const layout = ociLayout(directory);
    const root = await layout.ingest(MediaType.ociManifest, contentOf(manifestOf("1")));
    await writeFile(join(directory, ".index.json.lock"), "of another");
    const controller = new AbortController();
    const tagged = layout.tag(root, "a", { signal: controller.signal });
    controller.abort();
    await expect(tagged).rejects.toThrow("abort");
    expect(await names()).toEqual([".index.json.lock", "blobs", "index.json", "oci-layout"]);
  });

  test.each([
    ["an error of the source", () => Promise.reject(new Error("gone"))],
    ["an abort", async (controller: AbortController) => controller.abort(new Error("gone"))],
  ])("leaves nothing behind after %s in the middle", async (_, interrupt) => {
    const controller = new AbortController();
    const content = async function* () {
      yield text("half");
      await interrupt(controller);
      yield text("whole");
    };
    const layout = ociLayout(directory);
    const expected = { mediaType: "a/b", digest: digestOf("halfwhole"), size: 9 };
    await expect(layout.push(expected, content(), { signal: controller.signal })).rejects.toThrow("gone");
    await expect(layout.ingest("a/b", content(), { signal: controller.signal })).rejects.toThrow("gone");
    expect(await layout.exists(expected)).toBe(false);
    expect((await readdir(directory, { recursive: true })).sort()).toEqual(["index.json", "oci-layout"]);
  });

  test.each([
    ["longer", "hello!", "SIZE_MISMATCH"],
    ["shorter", "hell", "SIZE_MISMATCH"],
    ["different", "hallo", "DIGEST_MISMATCH"],
  ])("does not give out a blob that is %s than it was", async (_, changed, code) => {
    const layout = ociLayout(directory);
    const blob = await layout.ingest("a/b", contentOf(text("hello")));
    await writeFile(join(directory, "blobs/sha256", blob.digest.slice(7)), changed);
    await expect(readAll(layout.fetch(blob))).rejects.toMatchObject({ code });
  });

  test("writes a blob again that was cut short", async () => {
    const layout = ociLayout(directory);
    const blob = await layout.ingest("a/b", contentOf(text("hello")));
    await writeFile(join(directory, "blobs/sha256", blob.digest.slice(7)), "hel");
    await layout.push(blob, contentOf(text("hello")));
    expect(await readAll(layout.fetch(blob))).toEqual(Buffer.from("hello"));
  });

  test.each([
    ["sha256:../../../../etc/passwd"],
    [`sha256:${"0".repeat(63)}/`],
    ["sha1:0000000000000000000000000000000000000000"],
  ])("makes no path of %s", async (digest) => {
    const target = { mediaType: "a/b", digest: digest as `sha256:${string}`, size: 1 };
    await expect(ociLayout(directory).exists(target)).rejects.toMatchObject({ code: "DIGEST_INVALID" });
    await expect(readAll(ociLayout(directory).fetch(target))).rejects.toMatchObject({
      code: "DIGEST_INVALID",
    });
  });

  test.each([
    ["not JSON", "{", "is not an image index"],
    ["a manifest", JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }), "is not an image index"],
  ])("with an index that is %s is an error", async (_, index, message) => {
    await writeFile(join(directory, "index.json"), index);
    await expect(ociLayout(directory).resolve("a")).rejects.toMatchObject({ code: "LAYOUT_INVALID" });
    await expect(ociLayout(directory).resolve("a")).rejects.toThrow(message);
  });

  test("of a later version is not written to", async () => {
    await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
    const layout = ociLayout(directory);
    await expect(layout.ingest("a/b", contentOf(text("x")))).rejects.toMatchObject({
      code: "LAYOUT_INVALID",
    });
    expect(existsSync(join(directory, "blobs"))).toBe(false);
  });
});
