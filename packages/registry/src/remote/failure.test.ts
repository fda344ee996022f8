import { expect, test } from "vitest";
import { failureOf } from "./failure.ts";

async function codeOf(...codes: readonly string[]): Promise<string> {
  const body = JSON.stringify({ errors: codes.map((code) => ({ code, message: "" })) });
  const response = {
    status: 400,
    headers: { get: () => null },
    body: (async function* () {
      yield Buffer.from(body);
    })(),
    cancel: () => undefined,
  };
  return (await failureOf(response, { method: "PUT", url: "https://registry.example/v2/" }, "manifest")).code;
}

test("of several errors the one that may pass counts, else the first", async () => {
  expect(await codeOf("DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN")).toBe("MANIFEST_BLOB_UNKNOWN");
  expect(await codeOf("DIGEST_INVALID", "MANIFEST_INVALID")).toBe("DIGEST_INVALID");
  expect(await codeOf("DENIED", "UNKNOWN")).toBe("DENIED");
});
