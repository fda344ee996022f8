import { expect, test } from "vitest";
import { pace, turnsOf } from "./pace.ts";

test("who comes at once waits for those before", () => {
  const turnOf = turnsOf(4);
  expect([turnOf(10_000), turnOf(10_000), turnOf(10_000)]).toEqual([10_000, 10_250, 10_500]);
  expect(turnOf(10_600)).toBe(10_750);
  expect(turnOf(60_000)).toBe(60_000);
});

test("who waits can be called off", async () => {
  const passed = pace(0.001);
  await passed(undefined);
  await expect(passed(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
});

test("a turn in years does not come at once", async () => {
  const passed = pace(1e-9);
  await passed(undefined);
  const stop = new AbortController();
  const waiting = passed(stop.signal);
  setTimeout(() => stop.abort(new Error("enough")), 20);
  await expect(waiting).rejects.toThrow("enough");
});

test("without a limit nobody waits", async () => {
  const passed = pace(undefined);
  await Promise.all(Array.from({ length: 1000 }, () => passed(undefined)));
});
