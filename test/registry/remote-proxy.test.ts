import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import { connect, type AddressInfo } from "node:net";
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
import { empty, scriptedServer, type ScriptedServer } from "../support/scripted-server.ts";
import { certificateAuthority } from "../support/tls.ts";

const blob = Buffer.from("a layer");
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};

/** A proxy that takes every name for one server of this machine. */
async function proxyTo(server: ScriptedServer, password: string) {
  const seen: string[] = [];
  const expected = `Basic ${Buffer.from(`user:${password}`).toString("base64")}`;
  const [host = "", port = ""] = server.host.split(":");
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (request.headers["proxy-authorization"] !== expected) {
      response.writeHead(407).end();
      return;
    }
    const { pathname } = new URL(request.url ?? "");
    const onward = httpRequest({ host, port, path: pathname, method: request.method ?? "GET" }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  proxy.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    socket.on("error", () => undefined);
    if (request.headers["proxy-authorization"] !== expected) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on("error", () => socket.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    seen,
    url: `http://user:${password}@127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

test("a registry is reached through a proxy's tunnel, and TLS is with the registry itself", async () => {
  const authority = certificateAuthority();
  await using server = await scriptedServer(
    (_, response) => void response.end(blob),
    authority.issue("reg.example"),
  );
  using proxy = await proxyTo(server, "pass");
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
  using proxy = await proxyTo(server, "pass");
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
  using proxy = await proxyTo(server, "pass");
  const wrong = proxy.url.replace("pass", "CANARY");
  const transport = nodeFetchTransport({ environment: { HTTPS_PROXY: wrong } });
  const client = registryClient({ credentials: "anonymous", retry: { retries: 1, baseMs: 1 }, transport });
  const error = await readAll(client.repository("reg.example/a").fetch(layer)).catch((it: unknown) => it);
  expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  expect(inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain("CANARY");
  transport.close?.();
});
