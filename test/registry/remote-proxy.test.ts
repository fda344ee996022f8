import { inspect } from "node:util";
import {
  digestOf,
  MediaType,
  nodeFetchTransport,
  readAll,
  registryClient,
  type Descriptor,
} from "@undocked/registry";
import { expect, test } from "vitest";
import { startProxy } from "../support/proxy.ts";
import { empty, scriptedServer } from "../support/scripted-server.ts";
import { certificateAuthority } from "../support/tls.ts";

const blob = Buffer.from("a layer");
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};

test("a registry is reached through a proxy's tunnel, and TLS is with the registry itself", async () => {
  const authority = certificateAuthority();
  await using server = await scriptedServer(
    (_, response) => void response.end(blob),
    authority.issue("reg.example"),
  );
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
  await using server = await scriptedServer((_, response) => void response.end(blob));
  using proxy = await startProxy(() => server.host, "pass");
  const wrong = proxy.url.replace("pass", "CANARY");
  const transport = nodeFetchTransport({ environment: { HTTPS_PROXY: wrong } });
  const client = registryClient({ credentials: "anonymous", retry: { retries: 1, baseMs: 1 }, transport });
  const error = await readAll(client.repository("reg.example/a").fetch(layer)).catch((it: unknown) => it);
  expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  expect(inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain("CANARY");
  transport.close?.();
});
