import { describe, expect, test } from "vitest";
import { forEachOf, slots } from "./concurrency.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("slots", () => {
  test("run as many as there are, in the order they came, also after a failure", async () => {
    const two = slots(2);
    let [now, most] = [0, 0];
    const order: number[] = [];
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        two.run(async () => {
          order.push(n);
          most = Math.max(most, ++now);
          await turn();
          now -= 1;
          if (n === 3) throw new Error("one failed");
        }),
      ),
    );
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(results.filter(({ status }) => status === "rejected")).toHaveLength(1);
  });
});

describe("forEachOf", () => {
  test("begins nothing after an error, and throws it once the others have ended", async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const done = forEachOf([0, 1, 2, 3, 4, 5], 3, async (n) => {
      begun.push(n);
      if (n === 1) throw new Error("the first error");
      await turn();
      ended.push(n);
      if (n === 2) throw new Error("a later error");
    });
    await expect(done).rejects.toThrow("the first error");
    expect(begun).toEqual([0, 1, 2]);
    expect(ended).toEqual([0, 2]);
  });

  test("ends for nothing at once", async () => {
    await forEachOf([], 3, () => Promise.reject(new Error("never")));
  });
});
