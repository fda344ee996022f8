import { judgeLocation, type RefusedReason } from "./location.ts";

/** What a redirect asks for, judged: by nobody but us, because HTTP libraries keep credentials where they must not. */
export type Redirect =
  | {
      readonly kind: "follow";
      readonly url: string;
      readonly method: string;
      readonly sameOrigin: boolean;
      readonly keepsBody: boolean;
    }
  | { readonly kind: "refused"; readonly reason: RefusedReason | "loop" | "body" };

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

export interface RedirectedRequest {
  readonly method: string;
  readonly url: string;
  readonly hasBody: boolean;
  /** Which answered with the redirect, where that is known. */
  readonly address?: string | undefined;
}

/**
 * Plans the next step after a redirect.
 *
 * 307 and 308 repeat the request. 303 asks for a GET, or for a HEAD if that is what it was. 301 and 302 repeat what has no
 * body: browsers make a GET of a POST, which no registry means.
 *
 * @param visited - the URLs of this request so far, its own included
 */
export function planRedirect(
  request: RedirectedRequest,
  status: number,
  location: string | null,
  visited: readonly string[],
): Redirect {
  const { method, url, hasBody } = request;
  const destination = judgeLocation(url, location, request.address);
  if (destination.kind === "refused") return destination;
  if (visited.includes(destination.url) || visited.length > redirectLimit) {
    return { kind: "refused", reason: "loop" };
  }
  if (hasBody && (status === 301 || status === 302)) return { kind: "refused", reason: "body" };
  const turned = status === 303 && method !== "HEAD";
  return {
    kind: "follow",
    url: destination.url,
    method: turned ? "GET" : method,
    sameOrigin: destination.sameOrigin,
    keepsBody: hasBody && !turned,
  };
}

const redirectLimit = 10;
