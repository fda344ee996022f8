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

/** A URL that a server gave, of which the path may hold what it was sent. */
export function urlWithoutSecrets(url: string, secrets: readonly string[]): string {
  return withoutSecrets(url, secrets, "REDACTED");
}

/** A foreign text for a message: one line, no control characters, not long, and without the secrets given. */
export function foreignText(text: string, secrets: readonly string[] = [], limit = 300): string {
  const line = text.split(/[\r\n]/, 1)[0] ?? "";
  const clean = withoutSecrets(line.replaceAll(/\p{Cc}/gu, ""), secrets, "[redacted]");
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}

function withoutSecrets(text: string, secrets: readonly string[], mark: string): string {
  const forms = new Set(secrets.filter((secret) => secret !== "").flatMap(formsOf));
  // The longest first: one may be the beginning of another.
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce((clean, form) => clean.replaceAll(form, mark), text);
}

/** As a server may write down what it was sent: in JSON, in a URL, in a form, in base64. */
function formsOf(secret: string): readonly string[] {
  const encoded = [
    encodeURIComponent(secret),
    encodeURI(secret),
    new URLSearchParams([["", secret]]).toString().slice(1),
  ];
  const bytes = Buffer.from(secret);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    ...encoded,
    ...encoded.map((form) => form.replaceAll(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase())),
    bytes.toString("base64"),
    bytes.toString("base64url"),
    // Of what is base64 itself, as a login is.
    secret.replaceAll("+", "-").replaceAll("/", "_"),
  ];
}
