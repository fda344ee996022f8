/** What a host says of how much it may still be asked. */
export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds in which `limit` is allowed. */
  readonly windowSeconds?: number;
}

/**
 * Reads `RateLimit-Limit: 100;w=21600` and `RateLimit-Remaining: 76;w=21600`, as Docker Hub writes them, or the `X-`
 * forms that GitHub's and Quay's servers have.
 */
export function parseRateLimit(header: (name: string) => string | null): RateLimit | undefined {
  const of = (name: string) => quantity(header(`ratelimit-${name}`) ?? header(`x-ratelimit-${name}`));
  const [limit, remaining] = [of("limit"), of("remaining")];
  if (limit === undefined || remaining === undefined) return undefined;
  const windowSeconds = limit.window ?? remaining.window;
  return {
    limit: limit.count,
    remaining: remaining.count,
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
  };
}

function quantity(value: string | null): { readonly count: number; readonly window?: number } | undefined {
  const match = /^\s*(\d{1,10})\s*(?:;\s*w=(\d{1,10}))?\s*$/.exec(value ?? "");
  if (match === null) return undefined;
  const window = match[2];
  return { count: Number(match[1]), ...(window === undefined ? {} : { window: Number(window) }) };
}
