import type { CallOptions } from "../store/store.ts";
import { RegistryError } from "./registry-error.ts";

/** Adds a limit on the time of a whole operation to its signal. */
export function deadline(options: CallOptions, totalMs: number | undefined): CallOptions & Disposable {
  const { signal } = options;
  signal?.throwIfAborted();
  if (totalMs === undefined) {
    return { ...(signal === undefined ? {} : { signal }), [Symbol.dispose]: () => undefined };
  }
  const stop = new AbortController();
  const timer = setTimeout(() => {
    stop.abort(
      new RegistryError("REGISTRY_TIMEOUT", `It took longer than ${totalMs / 1000} seconds.`, {
        hint: "Try again, or raise `limits.totalMs`.",
      }),
    );
  }, totalMs);
  return {
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
