import type { RegistryEvent } from "@undocked/registry";
import { visible } from "./error.ts";

/** Shorter waits are over before anybody wonders. */
const NOTICED_MS = 1000;
const WARNING_LIMIT = 100;

/**
 * Puts into words what a client of registries goes on without, each once, and what it waits for.
 *
 * @param tell - gets lines without their end
 */
export function registryNotices(tell: (line: string) => void): (event: RegistryEvent) => void {
  const warned = new Set<string>();
  /** When a wait that was told ends, by host: many requests may wait together. */
  const told = new Map<string, number>();
  return (event) => {
    switch (event.kind) {
      case "warning": {
        const { registry, message, code } = event;
        const words = message.includes(registry) ? message : `${registry}: ${message}`;
        const text = code === undefined ? words : `${words} [${code}]`;
        if (warned.has(text) || warned.size >= WARNING_LIMIT) return;
        warned.add(text);
        tell(`warning: ${visible(text)}`);
        return;
      }
      case "retry": {
        const { url, waitMs, status, reason } = event;
        const { host } = new URL(url);
        const end = Date.now() + waitMs;
        if (waitMs < NOTICED_MS || end < (told.get(host) ?? 0) + NOTICED_MS) return;
        told.set(host, end);
        const why = status === undefined ? reason : `${status} ${reason}`;
        tell(`waiting ${Math.round(waitMs / 1000)} s for ${visible(host)}: ${visible(why)}`);
        return;
      }
      case "request":
      case "token":
      case "rate-limit":
        return;
    }
  };
}
