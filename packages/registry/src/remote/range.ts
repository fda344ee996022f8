/**
 * Bytes that an upload session has, by its `Range` header (`0-<last byte>`).
 *
 * @returns `undefined` where the header does not tell; `0-0` does not: some send it for nothing and for one byte
 */
export function receivedBytes(header: string | null): number | undefined {
  const value = (header ?? "").trim();
  // Written for "nothing yet" by old servers.
  if (value === "0--1") return 0;
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(value)?.[1];
  return last === undefined || Number(last) === 0 ? undefined : Number(last) + 1;
}

export interface ContentRange {
  readonly first: number;
  readonly last: number;
  /** Of the whole; absent for `*`. */
  readonly size?: number;
}

/** Reads `Content-Range: bytes first-last/size` (RFC 9110, 14.4). */
export function parseContentRange(header: string | null): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec((header ?? "").trim());
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const size = match[3] === "*" ? undefined : Number(match[3]);
  if (last < first || (size !== undefined && last >= size)) return undefined;
  return size === undefined ? { first, last } : { first, last, size };
}

/** How to go on with a download of which `have` of `size` bytes came. */
export type Resumption =
  | { readonly kind: "append" }
  /** The server sends the whole again. */
  | { readonly kind: "skip"; readonly bytes: number }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly why: string };

export function planResumption(
  have: number,
  size: number,
  status: number,
  contentRange: string | null,
): Resumption {
  if (status === 200) return { kind: "skip", bytes: have };
  if (status === 416) {
    return have === size ? { kind: "done" } : { kind: "failed", why: "the server has fewer bytes than that" };
  }
  const range = status === 206 ? parseContentRange(contentRange) : undefined;
  if (range === undefined) return { kind: "failed", why: "the server does not say which bytes it sends" };
  if (range.first !== have)
    return { kind: "failed", why: `the server goes on at byte ${range.first}, not ${have}` };
  if (range.size !== undefined && range.size !== size) {
    return { kind: "failed", why: `the server has ${range.size} bytes of it, not ${size}` };
  }
  return { kind: "append" };
}
