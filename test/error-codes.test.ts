import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../", import.meta.url);

// Variables of the environment and Node's own codes, which our sources look at and do not throw.
const foreign =
  /^(?:BASH|ERR|HPE|XDG|AWS|EAI|DOCKER|NODE|LD|HTTPS?|NO|ALL|UNDOCKED)_|^(?:INVALID_CA|SOURCE_DATE_EPOCH|REGISTRY_AUTH_FILE|BUILDKIT_DOCKERFILE_CHECK)$/;
// The distribution-spec's codes of one word.
const ofOneWord = "DENIED|UNKNOWN|UNSUPPORTED|UNAVAILABLE|UNAUTHORIZED|TOOMANYREQUESTS";

/** Every code that an error or a warning can have, as the sources spell it. */
function codesInSources(): string[] {
  const codes = new Set<string>();
  const packages = new URL("packages/", root);
  for (const path of readdirSync(packages, { recursive: true, encoding: "utf8" })) {
    if (!/^\w+\/src\/.*(?<!\.test)\.ts$/.test(path)) continue;
    const source = readFileSync(new URL(path, packages), "utf8");
    for (const [, code = ""] of source.matchAll(
      new RegExp(`"([A-Z]{2,}(?:_[A-Z0-9]+)+|${ofOneWord})"`, "g"),
    )) {
      if (!foreign.test(code)) codes.add(code);
    }
  }
  return [...codes].sort();
}

function codesInReadme(): string[] {
  const readme = readFileSync(new URL("README.md", root), "utf8");
  const [, table = ""] = /<!-- error codes[^>]*-->([\s\S]*)<!-- \/error codes -->/.exec(readme) ?? [];
  return [...table.matchAll(/^\| `([A-Z_]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, code = ""]) => code);
}

test("the README's table has every code, in order, and no other", () => {
  const codes = codesInSources();
  expect(codes.length).toBeGreaterThan(50);
  expect(codesInReadme()).toEqual(codes);
});
