import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import {
  contentOf,
  CredentialError,
  digestOf,
  MediaType,
  nodeFetchTransport,
  registryClient,
  replayable,
  storedCredentials,
  type Transport,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { expect, test } from "vitest";
import { empty, scriptedServer } from "../support/scripted-server.ts";

const blob = randomBytes(5000);
const layer = { mediaType: MediaType.ociLayerGzip, digest: digestOf(blob), size: blob.byteLength };
const content = replayable(() => contentOf(blob));

/** A promise that others fulfil. */
function later<T>() {
  let resolve = (_: T): void => undefined;
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve: (value: T) => resolve(value) };
}

test("an abort while an upload is being opened leaves no session", async () => {
  await using registry = await startRegistry({ faults: [{ kind: "delay", ms: 50, method: "POST" }] });
  await using client = registryClient({ credentials: "anonymous" });
  const stop = new AbortController();
  const pushed = client.repository(`${registry.host}/a`).push(layer, content, { signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 25);
  await expect(pushed).rejects.toThrow("enough");
  expect(registry.openUploads()).toBe(0);
});

test("an abort while a blob is being mounted leaves no session", async () => {
  await using registry = await startRegistry({
    faults: [{ kind: "delay", ms: 50, method: "POST" }, { kind: "no-mount" }],
  });
  await using client = registryClient({ credentials: "anonymous" });
  const stop = new AbortController();
  const repository = client.repository(`${registry.host}/a`);
  const mounted = repository.mount(layer, "b", { signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 25);
  await expect(mounted).rejects.toThrow("enough");
  expect(registry.openUploads()).toBe(0);
});

test("a push of what is said to be missing asks nothing first", async () => {
  await using registry = await startRegistry();
  await using client = registryClient({ credentials: "anonymous" });
  const repository = client.repository(`${registry.host}/a`);
  expect(await repository.exists(layer)).toBe(false);
  await repository.push(layer, content, { known: "absent" });
  expect(registry.requests.map(({ method }) => method)).toEqual(["HEAD", "POST", "PUT"]);
  await repository.push(layer, content);
  expect(registry.requests.map(({ method, status }) => `${method} ${status}`).slice(3)).toEqual(["HEAD 200"]);
});

test("an upload of which only the answer was lost is not sent again", async () => {
  await using registry = await startRegistry();
  const direct = nodeFetchTransport({ environment: {} });
  const lossy: Transport = async (request) => {
    const response = await direct(request);
    if (request.method !== "PUT") return response;
    response.cancel();
    throw Object.assign(new Error("lost"), { code: "ECONNRESET" });
  };
  await using client = registryClient({
    credentials: "anonymous",
    retry: { baseMs: 1 },
    transport: lossy,
  });
  await client.repository(`${registry.host}/a`).push(layer, content);
  expect(registry.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
});

test("a credential helper that fails is a warning to a pull and an error to a push", async () => {
  await using registry = await startRegistry({
    auth: { type: "bearer", users: { user: "secret" }, anonymous: "pull" },
  });
  const warnings: string[] = [];
  await using client = registryClient({
    credentials: storedCredentials({
      environment: { DOCKER_CONFIG: "/nowhere" },
      readFile: async (path) => (path.startsWith("/nowhere") ? '{"credsStore":"broken"}' : undefined),
      runHelper: async () => ({ kind: "not-found" }),
      onWarning: (message) => warnings.push(message),
    }),
  });
  const repository = client.repository(`${registry.host}/a`);
  await expect(repository.resolve("none")).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
  expect(warnings).toHaveLength(1);
  await expect(repository.push(layer, content)).rejects.toBeInstanceOf(CredentialError);
});

test("an abort while a token is awaited leaves no request at the token server", async () => {
  const gone = later<void>();
  const asked = later<void>();
  await using server = await scriptedServer(({ path }, response) => {
    if (path === "/token") {
      response.on("close", () => gone.resolve());
      asked.resolve();
    } else empty(response, 401, { "WWW-Authenticate": 'Bearer realm="/token",service="s"' });
  });
  await using client = registryClient({ credentials: "anonymous" });
  const repository = client.repository(`${server.host}/a`);
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = [first, second].map(({ signal }) => repository.resolve("1", { signal }));
  await asked.promise;
  first.abort(new Error("enough"));
  await expect(waiting[0]).rejects.toThrow("enough");
  second.abort(new Error("enough for me too"));
  await expect(waiting[1]).rejects.toThrow("enough for me too");
  await gone.promise;
});

test("an abort while a busy token server is left alone ends the pause", async () => {
  const told = later<void>();
  const transport: Transport = async ({ url, signal }) => {
    const isToken = new URL(url).pathname === "/token";
    if (isToken) told.resolve();
    signal?.throwIfAborted();
    const headers = new Headers(
      isToken ? { "retry-after": "3600" } : { "www-authenticate": 'Bearer realm="/token"' },
    );
    return {
      status: isToken ? 429 : 401,
      headers,
      body: contentOf(new Uint8Array()),
      cancel: () => undefined,
    };
  };
  const pauses = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  await using client = registryClient({ credentials: "anonymous", transport });
  const before = pauses();
  const stop = new AbortController();
  const waiting = client.repository("reg.example/a").resolve("1", { signal: stop.signal });
  await told.promise;
  while (pauses() === before) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  expect(pauses()).toBe(before);
});

test("an abort while a silent port is asked for TLS closes the connection", async () => {
  const accepted = later<Socket>();
  const server = createServer((socket) => accepted.resolve(socket.resume()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await using client = registryClient({ credentials: "anonymous" });
  const stop = new AbortController();
  const { port } = server.address() as AddressInfo;
  const waiting = client.repository(`127.0.0.1:${port}/a`).resolve("1", { signal: stop.signal });
  const socket = await accepted.promise;
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  if (!socket.closed) await once(socket, "close");
  server.close();
});
