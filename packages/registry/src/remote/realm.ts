import { judgeLocation, type Destination } from "./location.ts";

/**
 * Judges where a challenge wants credentials to go (CVE-2026-48978): an absolute URL or a path of the registry, https
 * unless the registry itself is on http, and no private address unless the registry has one.
 *
 * @param registry - the URL of the request that was challenged
 * @param address - which challenged it, where that is known
 */
export function judgeRealm(realm: string, registry: string, address?: string): Destination {
  // Anything else would be read as a path relative to the request.
  if (!/^(?:https?:\/\/|\/(?!\/))/i.test(realm)) return { kind: "refused", reason: "malformed" };
  return judgeLocation(registry, realm, address);
}
