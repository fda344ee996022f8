import { expect, test } from "vitest";
import { sharedRequests } from "./shared-requests.ts";

/** A request that ends when it is told to, or is given up. */
function pending() {
  const signals: AbortSignal[] = [];
  let end = (_: string): void => undefined;
  const request = (signal: AbortSignal): Promise<string> => {
    signals.push(signal);
    return new Promise((resolve, reject) => {
      end = resolve;
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  };
  return { request, resolve: (value: string) => end(value), signals };
}

test("a request goes on while somebody waits for it, and is given up when nobody does", async () => {
  const share = sharedRequests<string>();
  const { request, signals } = pending();
  const [first, second] = [new AbortController(), new AbortController()];
  const asked = [share("a", first.signal, request), share("a", second.signal, request)];
  first.abort(new Error("first leaves"));
  await expect(asked[0]).rejects.toThrow("first leaves");
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  second.abort(new Error("second leaves"));
  await expect(asked[1]).rejects.toThrow("second leaves");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test("who asks after it was given up begins anew, and all get what comes", async () => {
  const share = sharedRequests<string>();
  const stop = new AbortController();
  const given = share("a", stop.signal, pending().request);
  stop.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  const { request, resolve, signals } = pending();
  const asked = [share("a", undefined, request), share("a", undefined, request)];
  resolve("it");
  expect(await Promise.all(asked)).toEqual(["it", "it"]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
});

test("a failure is everybody's and is not remembered", async () => {
  const share = sharedRequests<string>();
  const failing = async (): Promise<string> => {
    await Promise.resolve();
    throw new Error("no");
  };
  const asked = [share("a", undefined, failing), share("a", undefined, failing)];
  await expect(asked[0]).rejects.toThrow("no");
  await expect(asked[1]).rejects.toThrow("no");
  expect(await share("a", undefined, async () => "yes")).toBe("yes");
});
