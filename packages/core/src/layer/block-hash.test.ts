import { digestOf } from "@undocked/registry";
import { expect, test } from "vitest";
import { blockHash, hashHere, hashOnThread } from "./block-hash.ts";

const blocks = Array.from({ length: 20 }, (_, at) => Buffer.alloc(1000 + at, at));

async function* given(error?: Error): AsyncGenerator<Uint8Array> {
  yield* blocks;
  if (error !== undefined) throw error;
}

test.each([
  ["here", hashHere],
  ["on a thread", hashOnThread],
])("%s, blocks pass as they come and make the digest of all", async (_, make) => {
  await using hash = make();
  const passed: Uint8Array[] = [];
  for await (const block of hash.through(given())) {
    passed.push(block);
    await hash.hashed(block);
  }
  expect(passed).toEqual(blocks);
  expect(await hash.digest()).toBe(digestOf(Buffer.concat(blocks)));
});

test("on a thread, blocks may pass faster than they are hashed", async () => {
  await using hash = hashOnThread();
  for await (const _ of hash.through(given()));
  expect(await hash.digest()).toBe(digestOf(Buffer.concat(blocks)));
});

test("what ends the blocks is told, and the thread ends", async () => {
  await using hash = hashOnThread();
  const read = async () => {
    for await (const _ of hash.through(given(new Error("the file has gone"))));
  };
  await expect(read()).rejects.toThrow("the file has gone");
});

test("a thread is for much", () => {
  expect(blockHash(1024).memory).toBe("own");
});
