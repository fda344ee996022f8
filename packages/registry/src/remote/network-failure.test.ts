import { expect, test } from "vitest";
import { networkFailure } from "./network-failure.ts";

test.each([
  ["EPROTO", "REGISTRY_UNREACHABLE", ["--plain-http vm:7711", '"vm:7711": { plainHttp: true }']],
  ["SELF_SIGNED_CERT_IN_CHAIN", "REGISTRY_UNTRUSTED", ["--registry-ca", "`ca`"]],
])("what to do about %s is told for the command and for code", (socketCode, code, ways) => {
  const error = Object.assign(new Error(socketCode), { code: socketCode });
  const { failure } = networkFailure(error, { method: "GET", url: "https://vm:7711/v2/" });
  expect(failure.code).toBe(code);
  for (const way of ways) expect(failure.hint).toContain(way);
});
