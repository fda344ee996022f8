import { expect, test } from "vitest";
import { unlessStopped } from "./unless-stopped.ts";

const endless = new Promise<never>(() => {});

test("who is stopped waits no longer", async () => {
  const stop = new AbortController();
  const waiting = unlessStopped(stop.signal, endless);
  stop.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
});

test("who was stopped before does not begin to wait", async () => {
  await expect(unlessStopped(AbortSignal.abort(new Error("stopped")), endless)).rejects.toThrow("stopped");
});

test("what the work gives comes, and its error", async () => {
  const { signal } = new AbortController();
  await expect(unlessStopped(signal, Promise.resolve(1))).resolves.toBe(1);
  await expect(unlessStopped(undefined, Promise.reject(new Error("failed")))).rejects.toThrow("failed");
});
