import { contentOf, copyImage, digestOf, memoryStore, readAll, replayable } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { at, refusal, times, type Outcome, type Rule } from "../../support/front.ts";
import { randomImage, validateImage } from "../../support/random-image.ts";
import { atEachSetup } from "./checklist.ts";
import { equal, imageOf, pushed, randomBlob } from "./content.ts";

const blob = randomBlob("beyond");

// What the suites of other clients do not name, at the same four setups.
describe("beyond the checklist", () => {
  atEachSetup((site) => {
    test.each(["oci", "docker"] as const)("an image of %s types stays as it is", async (types) => {
      const from = memoryStore();
      const root = await randomImage(from, types, { types });
      const repository = site().repository();
      await copyImage(root, from, repository, { tags: ["v1"] });
      expect(await repository.resolve("v1")).toEqual(root);
      expect((await repository.fetchManifest(root.digest)).descriptor).toEqual(root);
      await validateImage(root, repository);
    });

    test("what is not there has the specification's codes", async () => {
      const none = { ...blob.descriptor, digest: digestOf("none") };
      const repository = site().repository();
      await pushed(repository, blob);
      await expect(readAll(repository.fetch(none))).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
      await expect(repository.resolve("none")).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
      expect(await repository.exists(none)).toBe(false);
    });

    test("an image that is there with its tag is one question", async () => {
      const path = site().path();
      const { store, root } = await imageOf(path);
      const repository = site().repository(path);
      await copyImage(root, store, repository, { tags: ["v1"] });
      site().front.clear();
      await copyImage(root, store, repository, { tags: ["v1"] });
      expect(site().front.lines()).toEqual([`HEAD /v2/${path}/manifests/v1 200`]);
    });

    test("an answer that was lost is not a second upload", async () => {
      site().front.on(
        times(
          1,
          at("PUT", /\/uploads\//, async (_, pass): Promise<Outcome> => {
            await pass();
            return "reset";
          }),
        ),
      );
      const repository = site().repository();
      await pushed(repository, blob);
      expect(site().front.asked("PUT", /\/uploads\//)).toHaveLength(1);
      expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
    });

    test.each(["lost", "503"] as const)("content read once is closed again: %s", async (fault) => {
      const answers: readonly (readonly [string, Rule])[] = [
        ["lost", async (_, pass) => ((await pass()).status === 201 ? "reset" : undefined)],
        ["503", () => refusal(503, "UNAVAILABLE")],
      ];
      const rule = new Map(answers).get(fault);
      if (rule !== undefined) site().front.on(times(1, at("PUT", /\/uploads\//, rule)));
      const repository = site().repository(site().path(), site().client({ upload: { chunkSize: 4_000 } }));
      const found = await repository.ingest(blob.descriptor.mediaType, contentOf(blob.bytes));
      expect(found).toEqual(blob.descriptor);
      expect(equal(await readAll(repository.fetch(found)), blob.bytes)).toBe(true);
      expect(
        site()
          .front.asked("POST", /\/uploads\//)
          .filter(({ status }) => status === 202),
      ).toHaveLength(1);
    });

    test("content goes up while it is made, and is described at its end", async () => {
      const repository = site().repository();
      await repository.pushStream(contentOf(blob.bytes), async () => blob.descriptor);
      expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
      const [patch] = site().front.asked("PATCH", /\/uploads\//);
      expect(patch?.headers).toMatchObject({ "transfer-encoding": "chunked" });
    });

    test.each([
      ["its sender", undefined, "DIGEST_MISMATCH"],
      ["its reader, as that says, and the registry", blob.descriptor.digest, "DIGEST_INVALID"],
    ])("content is verified by %s", async (_, verifier, code) => {
      const repository = site().repository(site().path(), site().client({ retry: { retries: 0 } }));
      const wrong = Uint8Array.from(blob.bytes).fill(0, 0, 10);
      const content = replayable(() => contentOf(wrong), verifier);
      await expect(repository.push(blob.descriptor, content)).rejects.toMatchObject({ code });
      expect(await repository.exists(blob.descriptor)).toBe(false);
    });

    test("the memory of what is sent while it is made may be used again at once", async () => {
      const repository = site().repository();
      const size = 300_000;
      const whole = Buffer.alloc(40 * size);
      for (let at = 0; at < 40; at += 1) whole.fill(at + 1, at * size, (at + 1) * size);
      const free: Buffer[] = [];
      let made = 0;
      async function* content(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < 40; at += 1) {
          const memory = free.pop() ?? ((made += 1), Buffer.alloc(size));
          yield memory.fill(at + 1);
        }
      }
      const target = {
        mediaType: blob.descriptor.mediaType,
        digest: digestOf(whole),
        size: whole.byteLength,
      };
      const onSent = (chunk: Uint8Array): unknown => free.push(Buffer.from(chunk.fill(0).buffer));
      await repository.pushStream(content(), async () => target, { onSent });
      expect(equal(await readAll(repository.fetch(target)), whole)).toBe(true);
      expect(made).toBeLessThan(10);
    });

    test("every fifth answer lost, and all arrives", async () => {
      let count = 0;
      site().front.on(async (_, pass) => {
        count += 1;
        if (count % 5 !== 0) return undefined;
        await pass();
        return "reset";
      });
      const { store, root } = await imageOf("fifth", 5);
      const repository = site().repository(
        site().path(),
        site().client({ retry: { baseMs: 1, retries: 20 } }),
      );
      await copyImage(root, store, repository, { tags: ["v1"] });
      await validateImage(root, repository);
    });

    test("a blob that lies elsewhere is fetched there, and nobody there learns who asks", async () => {
      const path = site().path();
      const repository = site().repository(path);
      await pushed(repository, blob);
      const other = await site().elsewhere();
      site().front.on(
        at("GET", /\/blobs\//, ({ target }) => ({ status: 307, headers: { location: other.url + target } })),
      );
      expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
      expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    });

    test("a manifest that is deleted is not there", async () => {
      const path = site().path();
      const { store, root } = await imageOf(path);
      const repository = site().repository(path);
      await copyImage(root, store, repository);
      expect(await repository.delete(root)).toBe(true);
      expect(await repository.exists(root)).toBe(false);
      expect(await repository.delete(root)).toBe(false);
    });
  });
});
