import { buildImage, memoryTree } from "@undocked/core";
import {
  contentOf,
  digestOf,
  fetchUrl,
  MediaType,
  nodeFetchTransport,
  readAll,
  registryClient,
  replayable,
  type RegistryEvent,
  type Transport,
} from "@undocked/registry";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { empty, json, scriptedServer } from "../support/scripted-server.ts";

/* What is asked again is told, whoever is asked. */

let told: RegistryEvent[];
beforeEach(() => void (told = []));
afterEach(() => void vi.unstubAllEnvs());
const onEvent = (event: RegistryEvent): void => void told.push(event);
const retries = () =>
  told.flatMap((event) =>
    event.kind === "retry"
      ? [[event.method, new URL(event.url).pathname, event.attempt, event.status, event.reason]]
      : [],
  );
const blob = randomBytes(1000);
const layer = { mediaType: MediaType.ociLayerGzip, digest: digestOf(blob), size: blob.byteLength };

test("of a token server, with what it says and without what is secret", async () => {
  let busy = 2;
  await using server = await scriptedServer((request, response) => {
    if (request.path === "/token" && --busy >= 0) empty(response, 503, { "Retry-After": "0" });
    else if (request.path === "/token") json(response, 200, { token: "t" });
    else if (request.authorization !== undefined) response.end(blob);
    else
      empty(response, 401, {
        "WWW-Authenticate": `Bearer realm="http://${request.headers.host}/token?secret=x",service="s"`,
      });
  });
  await using client = registryClient({
    credentials: { [server.host]: { username: "u", password: "CANARY" } },
    retry: { baseMs: 1 },
    onEvent,
  });
  await readAll(client.repository(`${server.host}/a`).fetch(layer));
  expect(retries()).toEqual([
    ["GET", "/token", 1, 503, "UNAVAILABLE"],
    ["GET", "/token", 2, 503, "UNAVAILABLE"],
  ]);
  expect(JSON.stringify(told)).not.toMatch(/CANARY|secret=x/);
});

test("of AWS, which is asked again for the login to ECR", async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKID");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "CANARY");
  vi.stubEnv("DOCKER_CONFIG", "/nonexistent");
  const registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
  const authorizationToken = Buffer.from("AWS:password").toString("base64");
  const login = { authorizationData: [{ authorizationToken, expiresAt: Date.now() / 1000 + 43_200 }] };
  let busy = 2;
  const transport: Transport = async ({ url, headers }) => {
    const isAws = new URL(url).host === "api.ecr.eu-west-1.amazonaws.com";
    if (isAws && --busy > 0) throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
    const status = isAws ? (busy === 0 ? 500 : 200) : headers["Authorization"] === undefined ? 401 : 200;
    return {
      status,
      headers: { get: (name) => (name === "www-authenticate" ? 'Basic realm="r"' : null) },
      body: contentOf(isAws ? Buffer.from(JSON.stringify(login)) : blob),
      cancel: () => undefined,
    };
  };
  await using client = registryClient({ transport, retry: { baseMs: 1 }, onEvent });
  await readAll(client.repository(`${registry}/a`).fetch(layer));
  expect(retries()).toEqual([
    ["POST", "/", 1, undefined, "REGISTRY_UNREACHABLE"],
    ["POST", "/", 2, 500, "UNAVAILABLE"],
  ]);
  expect(JSON.stringify(told)).not.toContain("CANARY");
});

test("of a login to ECR that nobody waits for any more nothing goes on", async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKID");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "CANARY");
  vi.stubEnv("DOCKER_CONFIG", "/nonexistent");
  const stop = new AbortController();
  const aborted: unknown[] = [];
  const transport: Transport = async ({ url, signal }) => {
    if (new URL(url).host.startsWith("api.ecr.")) {
      await new Promise((_, reject) => {
        signal?.addEventListener("abort", () => {
          aborted.push(signal.reason);
          reject(new Error("aborted"));
        });
        stop.abort(new Error("enough"));
      });
    }
    return {
      status: 401,
      headers: { get: (name) => (name === "www-authenticate" ? 'Basic realm="r"' : null) },
      body: contentOf(new Uint8Array()),
      cancel: () => undefined,
    };
  };
  await using client = registryClient({ transport, onEvent });
  const repository = client.repository("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a");
  await expect(repository.exists(layer, { signal: stop.signal })).rejects.toThrow("enough");
  expect(aborted).toHaveLength(1);
  expect(retries()).toEqual([]);
});

test("of a file of the web", async () => {
  let busy = 2;
  await using server = await scriptedServer((_, response) => {
    if (--busy >= 0) empty(response, 429, { "Retry-After": "0" });
    else response.end(blob);
  });
  const { body } = await fetchUrl(`${server.url}/f?sig=CANARY`, { transport: nodeFetchTransport(), onEvent });
  expect(Buffer.from(await readAll(body)).equals(blob)).toBe(true);
  expect(retries()).toEqual([
    ["GET", "/f", 1, 429, "TOOMANYREQUESTS"],
    ["GET", "/f", 2, 429, "TOOMANYREQUESTS"],
  ]);
  expect(JSON.stringify(told)).not.toContain("CANARY");
});

test("of a file that a Dockerfile adds, to whom the build's client tells", async () => {
  let busy = 1;
  await using server = await scriptedServer((_, response) => {
    if (--busy >= 0) empty(response, 503, { "Retry-After": "0" });
    else response.end(blob);
  });
  await using _image = await buildImage({
    dockerfile: { text: `FROM scratch\nADD ${server.url}/f /f\n` },
    context: memoryTree({}),
    cache: false,
    registry: { onEvent },
  });
  expect(retries()).toEqual([["GET", "/f", 1, 503, "UNAVAILABLE"]]);
});

test("of a piece of an upload, and of its end", async () => {
  const busy = new Set(["PATCH", "PUT"]);
  await using server = await scriptedServer(async (request, response) => {
    await request.body();
    if (request.method === "HEAD") empty(response, 404);
    else if (busy.delete(request.method)) empty(response, 503);
    else if (request.method === "GET") empty(response, 204, { Range: "0--1" });
    else if (request.method === "PUT") empty(response, 201);
    else empty(response, 202, { Location: "/up" });
  });
  await using client = registryClient({
    credentials: "anonymous",
    upload: { chunkSize: 500 },
    retry: { baseMs: 1 },
    onEvent,
  });
  await client.repository(`${server.host}/a`).push(
    layer,
    replayable(() => contentOf(blob)),
  );
  expect(retries()).toEqual([
    ["PATCH", "/up", 1, 503, "UNAVAILABLE"],
    ["PUT", "/up", 1, 503, "UNAVAILABLE"],
  ]);
});

test("what is gone on without has a code, by which programs tell one from another", async () => {
  await using server = await scriptedServer((request, response) => {
    if (request.authorization === undefined) empty(response, 401, { "WWW-Authenticate": 'Basic realm="r"' });
    else response.end(blob);
  });
  const transport = nodeFetchTransport();
  // A name that is not this machine's own, on plain http.
  const named: Transport = (request) =>
    transport({ ...request, url: request.url.replace("http://reg.example", server.url) });
  await using client = registryClient({
    transport: named,
    credentials: { "reg.example": { username: "u", password: "p" } },
    hosts: { "reg.example": { plainHttp: true } },
    onEvent,
  });
  await expect(readAll(client.repository("reg.example/a").fetch(layer))).rejects.toMatchObject({
    code: "UNAUTHORIZED",
  });
  expect(told.filter(({ kind }) => kind === "warning")).toMatchObject([
    { registry: "reg.example", code: "LOGIN_NOT_SENT" },
  ]);
});
