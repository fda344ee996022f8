import { Refusal } from "./reply.ts";

export interface Page<T> {
  readonly items: readonly T[];
  /** The query of the next page, if there is one. */
  readonly next?: string;
}

/** Items of a page at most, whatever the client asks for. */
const PAGE_LIMIT = 1000;

/**
 * A page of a list in byte order: at most `n` items, those after `last` (distribution-spec, "Listing Tags").
 *
 * @throws {Refusal} 400 for an `n` that is no number
 */
export function pageOf<T>(all: readonly T[], nameOf: (item: T) => string, query: URLSearchParams): Page<T> {
  const asked = query.get("n");
  if (asked !== null && !/^\d{1,9}$/.test(asked)) {
    throw new Refusal(
      400,
      "UNSUPPORTED",
      `n should be a number, not ${JSON.stringify(asked.slice(0, 100))}.`,
    );
  }
  const n = Math.min(asked === null ? PAGE_LIMIT : Number(asked), PAGE_LIMIT);
  const last = query.get("last");
  const rest = last === null ? all : all.filter((item) => nameOf(item) > last);
  const items = rest.slice(0, n);
  const final = items.at(-1);
  if (final === undefined || items.length === rest.length) return { items };
  const next = new URLSearchParams(query);
  next.set("n", String(n));
  next.set("last", nameOf(final));
  return { items, next: next.toString() };
}

export function linkHeader(path: string, next: string | undefined): Readonly<Record<string, string>> {
  return next === undefined ? {} : { link: `<${path}?${next}>; rel="next"` };
}
