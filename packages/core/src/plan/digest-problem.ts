const LENGTHS: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha384", 96],
  ["sha512", 128],
]);

/** What BuildKit says of a digest that is none, as its digest library words it; undefined: it is one. */
export function digestProblem(text: string): string | undefined {
  const malformed = "invalid checksum digest format";
  const colon = text.indexOf(":");
  const hex = text.slice(colon + 1);
  if (colon <= 0 || hex === "") return malformed;
  const length = LENGTHS.get(text.slice(0, colon));
  if (length === undefined) {
    const isDigest = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(text);
    return isDigest ? "unsupported digest algorithm" : malformed;
  }
  if (hex.length !== length) return "invalid checksum digest length";
  return /^[0-9a-f]+$/.test(hex) ? undefined : malformed;
}
