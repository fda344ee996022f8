const LIMIT = 4096;

/**
 * Reads a registry's `Warning` headers (distribution-spec, "Warnings"): exactly `299 - "text"`, several joined by commas.
 * What has another form, or control characters, is nothing.
 */
export function parseWarnings(header: string | null): readonly string[] {
  const rest = header ?? "";
  if (rest.length > LIMIT) return [];
  const texts: string[] = [];
  const pattern = /\s*299 - "((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;
  while (pattern.lastIndex < rest.length) {
    const match = pattern.exec(rest);
    if (match === null) return [];
    const text = (match[1] ?? "").replaceAll(/\\(.)/g, "$1");
    if (!/\p{Cc}/u.test(text)) texts.push(text);
  }
  return texts;
}
