import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { orderedWork } from "./ordered-work.ts";

const failing = (message: string, ms: number) => async (signal: AbortSignal) => {
  await sleep(ms, undefined, { signal });
  throw new Error(message);
};
const passing = (value: string, ms: number) => (signal: AbortSignal) => sleep(ms, value, { signal });

test("gives what each part gives, in the parts' order", async () => {
  const work = orderedWork();
  const parts = [work.run([0], passing("a", 20)), work.run([1], passing("b", 0))];
  expect(await work.all(parts)).toEqual(["a", "b"]);
});

test.each([
  ["the first is slow", [30, 0, 10]],
  ["the last is slow", [0, 10, 30]],
])("of several faults the first in order is told: %s", async (_, [a = 0, b = 0, c = 0]) => {
  const work = orderedWork();
  const parts = [
    work.run([1, 2], failing("second", b)),
    work.run([2], failing("third", c)),
    work.run([1, 1], failing("first", a)),
  ];
  await expect(work.all(parts)).rejects.toThrow("first");
});

test("a fault stops what comes later, lets what comes earlier end, and begins nothing later", async () => {
  const work = orderedWork();
  let isStopped = false;
  const later = work.run([3], async (signal) => {
    await sleep(60_000, undefined, { signal }).catch(() => (isStopped = true));
    return "later";
  });
  const earlier = work.run([1], passing("earlier", 20));
  const parts = [earlier, work.run([2], failing("fault", 0)), later];
  await expect(work.all(parts)).rejects.toThrow("fault");
  expect([await earlier, isStopped]).toEqual(["earlier", true]);
  await expect(work.run([4], passing("never", 0))).rejects.toThrow("fault");
});

test("the caller's signal stops all, and its reason is told", async () => {
  const stop = new AbortController();
  const work = orderedWork(stop.signal);
  const parts = [work.run([0], passing("a", 60_000)), work.run([1], failing("fault", 60_000))];
  stop.abort(new Error("enough"));
  await expect(work.all(parts)).rejects.toThrow("enough");
});
