import { inspect } from "node:util";
import { expect, test } from "vitest";
import { ecrCredentials } from "./ecr-credentials.ts";
import type { HttpRequest, Transport } from "./http.ts";

const registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const target = { registry, repository: "a" };

function ecr(status: number, body: unknown) {
  const asked: HttpRequest[] = [];
  const transport: Transport = async (request) => {
    asked.push(request);
    return {
      status,
      headers: { get: () => null },
      body: (async function* () {
        yield Buffer.from(JSON.stringify(body));
      })(),
      cancel: () => undefined,
    };
  };
  let now = Date.parse("2026-11-21T00:00:00Z");
  const source = ecrCredentials({
    transport,
    limits: { headersMs: 1000, idleMs: 1000 },
    now: () => now,
    environment: { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "CANARY", AWS_SESSION_TOKEN: "SESSION" },
    home: "/h",
    readFile: async () => undefined,
  });
  return { source, asked, wait: (ms: number) => (now += ms) };
}

test("a private ECR registry is logged in to with one signed request in twelve hours", async () => {
  const authorizationToken = Buffer.from("AWS:password").toString("base64");
  const expiresAt = Date.parse("2026-11-21T12:00:00Z") / 1000;
  const { source, asked, wait } = ecr(200, { authorizationData: [{ authorizationToken, expiresAt }] });
  const login = { username: "AWS", password: "password" };
  expect(await Promise.all([source(target), source(target)])).toEqual([login, login]);
  await source(target);
  expect(asked).toHaveLength(1);
  expect(asked[0]?.url).toBe("https://api.ecr.eu-west-1.amazonaws.com/");
  expect(asked[0]?.headers).toMatchObject({
    "x-amz-target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    "x-amz-security-token": "SESSION",
  });
  wait(12 * 3_600_000);
  await source(target);
  expect(asked).toHaveLength(2);
});

test("other hosts are not", async () => {
  const { source, asked } = ecr(200, {});
  for (const other of ["public.ecr.aws", "ghcr.io", `${registry}.evil.example`]) {
    expect(await source({ registry: other, repository: "a" })).toBeUndefined();
  }
  expect(asked).toEqual([]);
});

test("what AWS refuses is told without the key", async () => {
  const { source } = ecr(400, { __type: "UnrecognizedClientException", message: "CANARY SESSION" });
  const error = await source(target).catch((it: unknown) => it);
  expect(error).toMatchObject({ status: 400 });
  expect(inspect(error, { depth: Number.POSITIVE_INFINITY })).not.toMatch(/CANARY|SESSION/);
});

test.each([{}, { authorizationData: [] }, { authorizationData: [{ authorizationToken: "", expiresAt: 1 }] }])(
  "an answer without a login is an error (%j)",
  async (body) => {
    await expect(ecr(200, body).source(target)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  },
);
