/** Where the next page is, judged. */
export type NextPage =
  | { readonly kind: "none" }
  | { readonly kind: "page"; readonly url: string }
  | { readonly kind: "refused"; readonly reason: "malformed" | "cross-origin" | "loop" };

const HEADER_LIMIT = 64 * 1024;

/**
 * Reads the `Link` header (RFC 8288) for the page after `request`.
 *
 * Only the same origin is followed: the request carries the registry's credentials (GHSA-h7vf-4x9w-h99v).
 */
export function nextPage(request: string, header: string | null): NextPage {
  if (header === null || header.trim() === "") return { kind: "none" };
  const links = splitLinks(header.slice(0, HEADER_LIMIT));
  if (links === undefined) return { kind: "refused", reason: "malformed" };
  const next = links.find(({ parameters }) => relations(parameters).includes("next"));
  if (next === undefined) return { kind: "none" };
  if (!URL.canParse(next.target, request)) return { kind: "refused", reason: "malformed" };
  const url = new URL(next.target, request);
  if (url.origin !== new URL(request).origin || url.username !== "" || url.password !== "") {
    return { kind: "refused", reason: "cross-origin" };
  }
  url.hash = "";
  if (url.href === new URL(request).href) return { kind: "refused", reason: "loop" };
  return { kind: "page", url: url.href };
}

interface LinkValue {
  readonly target: string;
  readonly parameters: string;
}

/** Commas stand in targets and in quotes too. */
function splitLinks(header: string): readonly LinkValue[] | undefined {
  const links: LinkValue[] = [];
  let rest = header.trim();
  while (rest !== "") {
    const target = /^<([^<>]*)>/.exec(rest);
    if (target === null) return undefined;
    rest = rest.slice(target[0].length);
    const end = endOfParameters(rest);
    links.push({ target: (target[1] ?? "").trim(), parameters: rest.slice(0, end) });
    rest = rest.slice(end).replace(/^[\s,]+/, "");
  }
  return links;
}

function endOfParameters(text: string): number {
  let quoted = false;
  for (let position = 0; position < text.length; position += 1) {
    const character = text[position];
    if (character === "\\" && quoted) position += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === "," && !quoted) return position;
  }
  return text.length;
}

function relations(parameters: string): readonly string[] {
  const match = /(?:^|;)\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters);
  return (match?.[1] ?? match?.[2] ?? "").toLowerCase().split(/\s+/);
}
