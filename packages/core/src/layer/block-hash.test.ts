import { digestOf } from "@undocked/registry";
import { expect, test } from "vitest";
import { hashHere, hashOnThread } from "./block-hash.ts";

/** Each in memory of its own. */
function blocks(): Uint8Array[] {
  return Array.from({ length: 20 }, (_, at) => new Uint8Array(1000 + at).fill(at));
}

test.each([
  ["here", hashHere],
  ["on a thread", hashOnThread],
])("%s, blocks make the digest of all, and come back as they were", async (_, make) => {
  const back: Uint8Array[] = [];
  await using hash = make((block) => back.push(block));
  for (const block of blocks()) await hash.take(block);
  expect(await hash.digest()).toBe(digestOf(Buffer.concat(blocks())));
  expect(back).toEqual(blocks());
});

test("on a thread, few blocks wait", async () => {
  let waiting = 0;
  await using hash = hashOnThread(() => (waiting -= 1));
  for (const block of blocks()) {
    waiting += 1;
    await hash.take(block);
    expect(waiting).toBeLessThanOrEqual(2);
  }
});
