/** Query parameters that tell what was asked for. What is not in here may be a signature or a token. */
const harmless: ReadonlySet<string> = new Set([
  "artifactType",
  "digest",
  "digest-algorithm",
  "from",
  "last",
  "mount",
  "n",
  "ns",
  "scope",
  "service",
  "tag",
]);

/** A URL as it may stand in a message: no user, no password, no fragment, and values only of harmless parameters. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return "(a URL that cannot be read)";
  const { protocol, host, pathname, search } = new URL(url);
  const parameters = search
    .slice(1)
    .split("&")
    .filter((parameter) => parameter !== "")
    .map((parameter) => {
      const name = parameter.split("=", 1)[0] ?? "";
      return harmless.has(name) || !parameter.includes("=") ? parameter : `${name}=REDACTED`;
    })
    .map((parameter) => (parameter.includes("=") ? parameter : "REDACTED"));
  return `${protocol}//${host}${pathname}${parameters.length === 0 ? "" : `?${parameters.join("&")}`}`;
}

/** A foreign text for a message: one line, no control characters, not long, and without the secrets given. */
export function foreignText(text: string, secrets: readonly string[] = [], limit = 300): string {
  let clean = text.split(/[\r\n]/, 1)[0] ?? "";
  clean = clean.replaceAll(/\p{Cc}/gu, "");
  for (const secret of secrets) {
    for (const form of secretForms(secret)) clean = clean.replaceAll(form, "[redacted]");
  }
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}

function secretForms(secret: string): readonly string[] {
  if (secret === "") return [];
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")];
}
