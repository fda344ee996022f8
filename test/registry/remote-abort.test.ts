import { randomBytes } from "node:crypto";
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

const blob = randomBytes(5000);
const layer = { mediaType: MediaType.ociLayerGzip, digest: digestOf(blob), size: blob.byteLength };
const content = replayable(() => contentOf(blob));

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
