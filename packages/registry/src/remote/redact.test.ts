import { describe, expect, test } from "vitest";
import { foreignText, urlWithoutSecrets } from "./redact.ts";

const secret = 'CANARY/+ =ü:"1';

describe("a secret in what a server says is not told", () => {
  test.each([
    ["as it is", secret],
    ["in JSON", JSON.stringify(secret)],
    ["in a URL", encodeURIComponent(secret)],
    [
      "in a URL, in lower case",
      encodeURIComponent(secret).replaceAll(/%../g, (octet) => octet.toLowerCase()),
    ],
    ["in a form", new URLSearchParams({ secret }).toString()],
    ["in base64", Buffer.from(secret).toString("base64")],
    ["in base64 for URLs", Buffer.from(secret).toString("base64url")],
  ])("%s", (_, form) => {
    const told = foreignText(`you sent ${form}!`, [secret]);
    expect(told).toContain("[redacted]");
    expect(told).not.toMatch(/CANARY|Q0FOQVJZ/);
  });

  test("in the path of a URL that it gives", () => {
    const url = `https://cdn.example/${encodeURIComponent(secret)}/blob`;
    expect(urlWithoutSecrets(url, [secret])).toBe("https://cdn.example/REDACTED/blob");
    expect(urlWithoutSecrets("https://cdn.example/blob", [secret])).toBe("https://cdn.example/blob");
  });
});
