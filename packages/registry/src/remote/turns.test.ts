import { expect, test } from "vitest";
import { turns } from "./turns.ts";

test("works of one key follow one another, others do not wait for them", async () => {
  const turn = turns();
  const events: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    events.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    events.push(`${name} ends`);
    return name;
  };
  expect(
    await Promise.all([turn("a", work("one")), turn("a", work("two")), turn("b", work("three"))]),
  ).toEqual(["one", "two", "three"]);
  expect(events.indexOf("two begins")).toBeGreaterThan(events.indexOf("one ends"));
  expect(events.indexOf("three begins")).toBeLessThan(events.indexOf("one ends"));
});

test("what fails is told to its own caller alone", async () => {
  const turn = turns();
  const failing = turn("a", () => Promise.reject(new Error("no")));
  const next = turn("a", () => Promise.resolve("yes"));
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("yes");
});
