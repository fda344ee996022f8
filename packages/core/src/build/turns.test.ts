import { expect, test } from "vitest";
import { turns } from "./turns.ts";

/** Work that ends when it is told to. */
function controlled() {
  const ends: (() => void)[] = [];
  const begun: string[] = [];
  const work = (name: string) => (): Promise<string> => {
    begun.push(name);
    return new Promise((resolve) => ends.push(() => resolve(name)));
  };
  return { ends, begun, work };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("no more than so many are under way, and the others follow in their order", async () => {
  const run = turns(2);
  const { ends, begun, work } = controlled();
  const all = ["a", "b", "c", "d"].map((name) => run(work(name)));
  await settle();
  expect(begun).toEqual(["a", "b"]);
  ends[1]?.();
  await settle();
  expect(begun).toEqual(["a", "b", "c"]);
  ends[0]?.();
  await settle();
  for (const end of ends) end();
  expect(await Promise.all(all)).toEqual(["a", "b", "c", "d"]);
});

test("who gives up while waiting begins nothing and takes nobody's turn", async () => {
  const run = turns(1);
  const { ends, begun, work } = controlled();
  const stop = new AbortController();
  const first = run(work("a"));
  const gone = run(work("b"), stop.signal);
  const last = run(work("c"));
  stop.abort(new Error("gone"));
  await expect(gone).rejects.toThrow("gone");
  ends[0]?.();
  await first;
  await settle();
  ends[1]?.();
  expect(await last).toBe("c");
  expect(begun).toEqual(["a", "c"]);
});

test("work that fails gives its turn back", async () => {
  const run = turns(1);
  await expect(run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await run(async () => 1)).toBe(1);
});
