import { createHash, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { nodeFetchTransport, type HttpRequest, type Transport } from "@undocked/registry";
import { afterAll, describe, expect, test } from "vitest";
import { startProxy } from "../support/proxy.ts";
import { empty, scriptedServer } from "../support/scripted-server.ts";
import { certificateAuthority } from "../support/tls.ts";

const nodeFetch = nodeFetchTransport({ environment: {} });

/** What holds for every transport. A new one is a line here. */
const transports: readonly (readonly [name: string, transport: Transport])[] = [["node-fetch", nodeFetch]];

afterAll(() => nodeFetch.close?.());

describe.each(transports)("the transport on %s", (_, transport) => {
  const get = (url: string, more: Partial<HttpRequest> = {}) =>
    transport({ method: "GET", url, headers: {}, ...more });
  const text = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString("latin1");
  };

  test.each([301, 302, 303, 307, 308])("gives a %i and does not follow it", async (status) => {
    await using server = await scriptedServer((__, response) =>
      empty(response, status, { Location: "/next" }),
    );
    const response = await get(server.url);
    response.cancel();
    expect(response.status).toBe(status);
    expect(server.requests).toHaveLength(1);
  });

  test("gives an encoded body as it came", async () => {
    const zipped = gzipSync("content");
    await using server = await scriptedServer((__, response) => {
      response.writeHead(200, { "Content-Encoding": "gzip" });
      response.end(zipped);
    });
    const response = await get(server.url);
    expect(await text(response.body)).toBe(zipped.toString("latin1"));
    expect(server.requests[0]?.headers["accept-encoding"]).toBe("identity");
  });

  test("tells which address answered, of each of many at once, whatever the name", async () => {
    await using server = await scriptedServer((__, response) => empty(response, 200));
    const { port } = new URL(server.url);
    const urls = [server.url, `http://localhost:${port}`, server.url, server.url];
    const answers = await Promise.all(urls.map(async (url) => await get(url)));
    for (const answer of answers) answer.cancel();
    expect(answers.map(({ address }) => address)).toEqual(urls.map(() => "127.0.0.1"));
  });

  test("does not take a proxy's address for the server's", async () => {
    await using server = await scriptedServer((__, response) => empty(response, 200));
    using proxy = await startProxy(() => server.host, "pass");
    const proxied = nodeFetchTransport({ environment: { HTTP_PROXY: proxy.url } });
    const answer = await proxied({ method: "GET", url: "http://reg.example/v2/", headers: {} });
    answer.cancel();
    proxied.close?.();
    expect([answer.status, answer.address]).toEqual([200, undefined]);
  });

  test("does not try again", async () => {
    await using server = await scriptedServer((__, response) => void response.destroy());
    await expect(get(server.url)).rejects.toThrow();
    expect(server.requests).toHaveLength(1);
  });

  test("joins headers that are repeated", async () => {
    await using server = await scriptedServer((__, response) => {
      response.setHeader("WWW-Authenticate", ["Negotiate", 'Basic realm="x"']);
      empty(response, 401);
    });
    const response = await get(server.url);
    response.cancel();
    expect(response.headers.get("www-authenticate")).toBe('Negotiate, Basic realm="x"');
  });

  test("takes 40 KiB of headers", async () => {
    const location = `/${"x".repeat(40_000)}`;
    await using server = await scriptedServer((__, response) => empty(response, 307, { Location: location }));
    const response = await get(server.url);
    response.cancel();
    expect(response.headers.get("location")?.endsWith(location)).toBe(true);
  });

  test("gives an answer that comes before the body was taken", async () => {
    await using server = await scriptedServer((__, response) => empty(response, 401));
    const body = (async function* () {
      for (let piece = 0; piece < 64; piece += 1) yield Buffer.alloc(1024 * 1024);
    })();
    const response = await transport({
      method: "PUT",
      url: server.url,
      headers: { "Content-Length": String(64 * 1024 * 1024) },
      body,
    });
    response.cancel();
    expect(response.status).toBe(401);
  });

  test("sends a stream with its length, whole", async () => {
    const piece = randomBytes(1024 * 1024);
    const whole = createHash("sha256");
    let got = "";
    let length: string | undefined;
    await using server = await scriptedServer(async (request, response) => {
      length = request.headers["content-length"];
      got = createHash("sha256")
        .update(await request.body())
        .digest("hex");
      empty(response, 201);
    });
    const body = (async function* () {
      for (let count = 0; count < 20; count += 1) {
        whole.update(piece);
        yield piece;
      }
    })();
    const headers = { "Content-Length": String(20 * piece.byteLength) };
    (await transport({ method: "PUT", url: server.url, headers, body })).cancel();
    expect(got).toBe(whole.digest("hex"));
    expect(length).toBe(String(20 * piece.byteLength));
  });

  test("rejects a body that is short", async () => {
    await using server = await scriptedServer((__, response) => {
      response.writeHead(200, { "Content-Length": 100 });
      response.write("only this", () => response.destroy());
    });
    const response = await get(server.url);
    await expect(text(response.body)).rejects.toThrow();
  });

  test("uses its connection again", async () => {
    const ports = new Set<number | undefined>();
    await using server = await scriptedServer((__, response) => {
      ports.add(response.socket?.remotePort);
      response.end("x");
    });
    for (let count = 0; count < 5; count += 1) await text((await get(server.url)).body);
    expect(ports.size).toBe(1);
  });

  test("ends at once by its signal", async () => {
    await using server = await scriptedServer(() => undefined);
    const stop = new AbortController();
    const pending = get(server.url, { signal: stop.signal });
    setTimeout(() => stop.abort(), 10);
    await expect(pending).rejects.toThrow();
  });

  test("trusts an authority that it is given, and no other", async () => {
    const authority = certificateAuthority();
    await using server = await scriptedServer(
      (__, response) => void response.end("trusted"),
      authority.issue("127.0.0.1"),
    );
    await expect(get(server.url)).rejects.toThrow();
    await expect(get(server.url, { tls: { ca: certificateAuthority().cert } })).rejects.toThrow();
    expect(await text((await get(server.url, { tls: { ca: authority.cert } })).body)).toBe("trusted");
    expect(await text((await get(server.url, { tls: { insecure: true } })).body)).toBe("trusted");
    // What one request trusts, the next does not.
    await expect(get(server.url)).rejects.toThrow();
  });
});
