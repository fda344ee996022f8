import { inspect } from "node:util";
import {
  digestOf,
  MediaType,
  nodeFetchTransport,
  readAll,
  registryClient,
  type Descriptor,
} from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { startProxy } from "../support/proxy.ts";
import { empty, scriptedServer } from "../support/scripted-server.ts";
import { certificateAuthority } from "../support/tls.ts";

const blob = Buffer.from("a layer");
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};

/** Answers everything with the layer. */
function blobServer(identity?: Parameters<typeof scriptedServer>[1]): ReturnType<typeof scriptedServer> {
  return scriptedServer((_, response) => void response.end(blob), identity);
}

test("a registry is reached through a proxy's tunnel, and TLS is with the registry itself", async () => {
  const authority = certificateAuthority();
  await using server = await blobServer(authority.issue("reg.example"));
  using proxy = await startProxy(() => server.host, "pass");
  const transport = nodeFetchTransport({ environment: { HTTPS_PROXY: proxy.url } });
  const client = registryClient({ credentials: "anonymous", ca: authority.cert, transport });
  const repository = client.repository("reg.example/a");
  await readAll(repository.fetch(layer));
  await readAll(repository.fetch(layer));
  // The tunnel is kept open, as any connection.
  expect(proxy.seen).toEqual(["CONNECT reg.example:443"]);
  expect(server.requests[0]?.headers["proxy-authorization"]).toBeUndefined();
  transport.close?.();
});

test("a registry on plain http is reached by a proxy with the whole URL", async () => {
  await using server = await scriptedServer((request, response) => {
    if (request.method === "HEAD") empty(response, 404);
    else response.end(blob);
  });
  using proxy = await startProxy(() => server.host, "pass");
  const transport = nodeFetchTransport({ environment: { HTTP_PROXY: proxy.url } });
  const client = registryClient({
    credentials: "anonymous",
    hosts: { "reg.example:5000": { plainHttp: true } },
    transport,
  });
  await readAll(client.repository("reg.example:5000/a").fetch(layer));
  expect(proxy.seen).toEqual([`GET http://reg.example:5000/v2/a/blobs/${layer.digest}`]);
  transport.close?.();
});

test("a proxy that refuses is told, and its password is not", async () => {
  await using server = await blobServer();
  using proxy = await startProxy(() => server.host, "pass");
  const wrong = proxy.url.replace("pass", "CANARY");
  const transport = nodeFetchTransport({ environment: { HTTPS_PROXY: wrong } });
  const client = registryClient({ credentials: "anonymous", retry: { retries: 1, baseMs: 1 }, transport });
  const error = await readAll(client.repository("reg.example/a").fetch(layer)).catch((it: unknown) => it);
  expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  expect(inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain("CANARY");
  transport.close?.();
});

test("an IPv6 address is in brackets where a tunnel is asked for", async () => {
  const authority = certificateAuthority();
  await using server = await blobServer(authority.issue("reg.example"));
  using proxy = await startProxy(() => server.host, "pass");
  const transport = nodeFetchTransport({ environment: { HTTPS_PROXY: proxy.url } });
  const host = "[2001:db8::1]:5000";
  const client = registryClient({
    credentials: "anonymous",
    hosts: { [host]: { insecure: true } },
    transport,
  });
  await readAll(client.repository(`${host}/a`).fetch(layer));
  expect(proxy.seen).toEqual([`CONNECT ${host}`]);
  transport.close?.();
});

describe.each(["HTTPS_PROXY", "HTTP_PROXY"] as const)("what %s has", (variable) => {
  const failureBy = async (proxy: string): Promise<unknown> => {
    const transport = nodeFetchTransport({ environment: { [variable]: proxy } });
    const hosts = { "reg.example:5000": { plainHttp: variable === "HTTP_PROXY" } };
    const client = registryClient({ credentials: "anonymous", retry: { retries: 0 }, hosts, transport });
    return await readAll(client.repository("reg.example:5000/a").fetch(layer)).catch((it: unknown) => it);
  };
  const shown = (error: unknown): string =>
    inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });

  test("is named where nobody listens there, without its login", async () => {
    const proxy = await startProxy(() => "", "CANARY");
    proxy[Symbol.dispose]();
    const error = await failureBy(proxy.url);
    expect(error).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      message: expect.stringContaining(`the proxy ${new URL(proxy.url).host} `) as string,
      hint: expect.stringContaining("NO_PROXY") as string,
    });
    expect(shown(error)).not.toContain("CANARY");
  });

  test.each(["socks5://user:CANARY@127.0.0.1:1", "http://user:CANARY@["])(
    "is an error where it is no proxy that is spoken: %s",
    async (value) => {
      const error = await failureBy(value);
      expect(error).toMatchObject({
        code: "REGISTRY_UNREACHABLE",
        message: expect.stringContaining(variable) as string,
      });
      expect(shown(error)).not.toContain("CANARY");
    },
  );
});

test.each([
  ["http", "100%", "100%"],
  ["https", "100%", "100%"],
  ["http", "a%zz%", "a%zz%"],
  ["http", "a%40b%C3%A9", "a@b\u00E9"],
] as const)("a password's %% is one: by %s %j is %j", async (protocol, written, meant) => {
  const authority = certificateAuthority();
  await using server = await blobServer(protocol === "https" ? authority.issue("reg.example") : undefined);
  using proxy = await startProxy(() => server.host, meant);
  const { host } = new URL(proxy.url.replace(/\/\/.*@/, "//"));
  const value = `http://user:${written}@${host}`;
  const transport = nodeFetchTransport({ environment: { HTTP_PROXY: value, HTTPS_PROXY: value } });
  const hosts = { "reg.example": { plainHttp: protocol === "http" } };
  const client = registryClient({ credentials: "anonymous", ca: authority.cert, hosts, transport });
  await readAll(client.repository("reg.example/a").fetch(layer));
  expect(proxy.seen).toHaveLength(1);
  transport.close?.();
});
