import { expect, test } from "vitest";
import type { FrontRequest } from "../../support/front.ts";
import { basicLogin, credentialWatch } from "./credential-watch.ts";
import { login } from "./setups.ts";

const registry = "https://127.0.0.1:1";
const stranger = "https://127.0.0.1:2";

function request(more: Partial<FrontRequest> = {}): FrontRequest {
  return {
    method: "GET",
    path: "/v2/",
    query: new URLSearchParams(),
    target: "/v2/",
    headers: {},
    authorization: undefined,
    body: Buffer.alloc(0),
    status: 0,
    ...more,
  };
}

test("a credential is noted on every origin but the one it was issued for", () => {
  const watch = credentialWatch();
  watch.issue(basicLogin, registry);
  watch.issueTokensOf({ status: 200, body: '{"token":"t1","access_token":"t2"}' }, registry);
  for (const authorization of [basicLogin, "Bearer t1", "Bearer t2", undefined]) {
    watch.see(request({ authorization }), registry, "no passwords");
  }
  expect(watch.leaks).toEqual([]);
  for (const authorization of [basicLogin, "Bearer t1", "Bearer unknown"]) {
    watch.see(request({ authorization }), stranger, "no passwords");
  }
  expect(watch.leaks).toEqual([
    `GET ${stranger}/v2/ has ${basicLogin}`,
    `GET ${stranger}/v2/ has Bearer t1`,
    `GET ${stranger}/v2/ has Bearer unknown`,
  ]);
});

test("a password is noted in a URL anywhere, and in a body but at the token service", () => {
  const watch = credentialWatch();
  const body = Buffer.from(`password=${encodeURIComponent(login.password)}`);
  watch.see(request({ body }), stranger, "passwords");
  expect(watch.leaks).toEqual([]);
  watch.see(request({ body }), registry, "no passwords");
  watch.see(request({ target: `/token?${body.toString()}` }), stranger, "passwords");
  expect(watch.leaks).toEqual([
    `GET ${registry}/v2/ has the password`,
    `GET ${stranger}/v2/ has the password`,
  ]);
});
