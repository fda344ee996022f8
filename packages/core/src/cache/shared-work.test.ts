import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { sharedWork } from "./shared-work.ts";

/** Work that ends when it is told to, and counts how often it was begun. */
function controlled() {
  const begun: { resolve: (text: string) => void; reject: (error: Error) => void; signal: AbortSignal }[] =
    [];
  const work = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
      begun.push({ resolve, reject, signal });
    });
  return { begun, work };
}

describe("shared work", () => {
  test("is done once for all who ask while it is under way, and again for who asks later", async () => {
    const share = sharedWork<string>();
    const { begun, work } = controlled();
    const all = [share("k", undefined, work), share("k", undefined, work), share("other", undefined, work)];
    begun[0]?.resolve("a");
    begun[1]?.resolve("b");
    expect(await Promise.all(all)).toEqual(["a", "a", "b"]);
    const later = share("k", undefined, work);
    begun[2]?.resolve("c");
    expect([await later, begun.length]).toEqual(["c", 3]);
  });

  test("goes on when one who waits gives up, and stops when nobody waits", async () => {
    const share = sharedWork<string>();
    const { begun, work } = controlled();
    const [first, second] = [new AbortController(), new AbortController()];
    const one = share("k", first.signal, work);
    const two = share("k", second.signal, work);
    first.abort(new Error("first left"));
    await expect(one).rejects.toThrow("first left");
    expect(begun[0]?.signal.aborted).toBe(false);
    second.abort(new Error("second left"));
    await expect(two).rejects.toThrow("second left");
    expect(begun[0]?.signal.aborted).toBe(true);
  });

  test("that nobody waits for any more has ended when the last of them is told", async () => {
    const share = sharedWork<string>();
    const order: string[] = [];
    let end = (): void => {};
    const held = new Promise<void>((resolve) => (end = resolve));
    const work = async (): Promise<string> => {
      await held;
      order.push("ended");
      return "too late";
    };
    const stop = new AbortController();
    const told = share("k", stop.signal, work).catch(({ message }: Error) => order.push(message));
    stop.abort(new Error("left"));
    await setImmediate();
    order.push("still under way");
    end();
    await told;
    expect(order).toEqual(["still under way", "ended", "left"]);
  });

  test("that fails is done again by who did not begin it", async () => {
    const share = sharedWork<string>();
    const { begun, work } = controlled();
    const one = share("k", undefined, work);
    const two = share("k", undefined, work);
    begun[0]?.reject(new Error("no credentials"));
    await expect(one).rejects.toThrow("no credentials");
    await Promise.resolve();
    begun[1]?.resolve("mine");
    expect(await two).toBe("mine");
  });
});
