import { expect, test } from "vitest";
import { pace, turnsOf } from "./pace.ts";

test("who comes at once waits for those before", () => {
  const waitFor = turnsOf(4);
  expect([waitFor(10_000), waitFor(10_000), waitFor(10_000)]).toEqual([0, 250, 500]);
  expect(waitFor(10_600)).toBe(150);
  expect(waitFor(60_000)).toBe(0);
});

test("who waits can be called off", async () => {
  const passed = pace(0.001);
  await passed(undefined);
  await expect(passed(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
});

test("without a limit nobody waits", async () => {
  const passed = pace(undefined);
  await Promise.all(Array.from({ length: 1000 }, () => passed(undefined)));
});
