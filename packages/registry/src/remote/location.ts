import { isPrivateHost, isPrivateServer } from "./address.ts";

/** Where a server wants us to go on, or why we do not go. */
export type Destination =
  | { readonly kind: "allowed"; readonly url: string; readonly sameOrigin: boolean }
  | { readonly kind: "refused"; readonly reason: RefusedReason };

export type RefusedReason = "missing" | "malformed" | "scheme" | "userinfo" | "downgrade" | "private-address";

/**
 * Judges a URL that a server gave us: a `Location`.
 *
 * Refused are other schemes than http and https, https to http, a user in the URL, and the way from a public server to a
 * private address (GHSA-xf85-363p-868w and its kin). A private registry may well have a private store.
 *
 * @param location - the header, relative to `request`
 * @param address - which gave that header: it tells where a server is that has a name, and a name alone is a public one
 */
export function judgeLocation(request: string, location: string | null, address?: string): Destination {
  if (location === null || location === "") return refused("missing");
  // A backslash becomes a slash and a control character vanishes in a URL parser: what is sent must be what was judged.
  if (/[\s\\\p{Cc}]/u.test(location) || !URL.canParse(location, request)) return refused("malformed");
  const from = new URL(request);
  const to = new URL(location, request);
  to.hash = "";
  if (to.protocol !== "https:" && to.protocol !== "http:") return refused("scheme");
  if (to.username !== "" || to.password !== "") return refused("userinfo");
  if (from.protocol === "https:" && to.protocol === "http:") return refused("downgrade");
  if (isPrivateHost(to) && !isPrivateServer(from, address)) return refused("private-address");
  return { kind: "allowed", url: to.href, sameOrigin: from.origin === to.origin };
}

function refused(reason: RefusedReason): Destination {
  return { kind: "refused", reason };
}

/** Why a URL was refused, as the end of a sentence. */
export function describeRefusal(reason: RefusedReason): string {
  switch (reason) {
    case "missing":
      return "names no place to go on to";
    case "malformed":
      return "is no URL";
    case "scheme":
      return "is neither https nor http";
    case "userinfo":
      return "has a user name in it";
    case "downgrade":
      return "leads from https to http";
    case "private-address":
      return "leads from a public server to a private address";
  }
}

/**
 * The URL that closes an upload. The digest is added as text: the state of the session in the query is signed, and
 * URLSearchParams would write it anew.
 */
export function withQuery(url: string, name: string, value: string): string {
  const [base = "", query = ""] = splitOnce(url.split("#", 1)[0] ?? "", "?");
  const kept = query
    .split("&")
    .filter((parameter) => parameter !== "" && parameter.split("=", 1)[0] !== name);
  return `${base}?${[...kept, `${name}=${encodeURIComponent(value)}`].join("&")}`;
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
