import { gate, type Gate, type Pace } from "./gate.ts";
import { pace } from "./pace.ts";

export interface GateOptions {
  /** Requests to one host at once. */
  readonly concurrency: number;
  /** To one host. `undefined`: as many as there are. */
  readonly requestsPerSecond: number | undefined;
}

/** Gives each host its gates. Reading and writing wait apart: an upload that reads from the same host would wait for itself. */
export function gates({
  concurrency,
  requestsPerSecond,
}: GateOptions): (url: string, method: string) => Gate {
  const paces = new Map<string, Pace>();
  const made = new Map<string, Gate>();
  return (url, method) => {
    const { host } = new URL(url);
    const writes = method === "PUT" || method === "POST" || method === "PATCH";
    const key = `${host} ${writes ? "write" : "read"}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const shared = paces.get(host) ?? pace(requestsPerSecond);
    paces.set(host, shared);
    const added = gate(concurrency, shared);
    made.set(key, added);
    return added;
  };
}
