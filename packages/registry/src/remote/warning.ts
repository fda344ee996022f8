const LIMIT = 4096;

/**
 * Reads a registry's `Warning` headers (distribution-spec, "Warnings"): exactly `299 - "text"`, several joined by commas.
 * What has another form, or control characters, is nothing.
 */
export function parseWarnings(header: string | null): readonly string[] {
  if (header === null || header.length > LIMIT) return [];
  return elementsOf(header).flatMap((element) => {
    const quoted = /^299 - "((?:[^"\\]|\\.)*)"$/.exec(element)?.[1];
    const text = quoted?.replaceAll(/\\(.)/g, "$1");
    return text === undefined || /\p{Cc}/u.test(text) ? [] : [text];
  });
}

/** Commas within quotes do not part. */
function elementsOf(header: string): readonly string[] {
  const elements = header.match(/(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|\\?$))+/g) ?? [];
  return elements.map((element) => element.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
}
