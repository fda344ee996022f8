import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { compilePackage, runScript } from "../support/run-script.ts";

const gibibytes = Number(process.env["UNDOCKED_LARGE_GIB"] ?? "1");
const size = gibibytes * 1024 ** 3;
/** Pieces of noise that are repeated: what a hash costs is the same, what making it costs is not. */
const piece = createHash("sha512").update("noise").digest();
const mebibyte = Buffer.concat(Array.from({ length: (1024 * 1024) / piece.byteLength }, () => piece));

/** Takes blobs, counts and hashes them, and gives the same bytes back; keeps nothing. */
let server: Server;
let host: string;
beforeAll(async () => {
  compilePackage("registry");
  server = createServer((request, response) => {
    void (async () => {
      const { method = "", url = "" } = request;
      if (method === "HEAD") response.writeHead(404).end();
      else if (method === "POST") response.writeHead(202, { Location: "/up" }).end();
      else if (method === "GET" && url !== "/v2/") {
        response.writeHead(200, { "Content-Length": size });
        for (let left = size; left > 0; left -= mebibyte.byteLength) {
          if (!response.write(mebibyte)) await once(response, "drain");
        }
        response.end();
      } else {
        const hash = createHash("sha256");
        let seen = 0;
        for await (const chunk of request) {
          hash.update(chunk as Buffer);
          seen += (chunk as Buffer).byteLength;
        }
        const right =
          seen === size &&
          `sha256:${hash.digest("hex")}` === new URL(url, "http://a").searchParams.get("digest");
        response.writeHead(method === "PUT" && !right ? 400 : 201).end();
      }
    })().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
}, 120_000);
afterAll(() => void server.close());

const transfer = `
import { open, mkdtemp, rm } from "node:fs/promises";
import { createReadStream, createWriteStream } from "node:fs";
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MediaType, registryClient, replayable, tally } from "@undocked/registry";
const [host, direction, size] = process.argv.slice(-3);
const piece = createHash("sha512").update("noise").digest();
const mebibyte = Buffer.concat(Array.from({ length: 16384 }, () => piece));
async function* noise() { for (let left = Number(size); left > 0; left -= mebibyte.byteLength) yield mebibyte; }
const whole = createHash("sha256");
for (let left = Number(size); left > 0; left -= mebibyte.byteLength) whole.update(mebibyte);
const layer = { mediaType: MediaType.ociLayer, digest: "sha256:" + whole.digest("hex"), size: Number(size) };
const directory = await mkdtemp(join(tmpdir(), "undocked-large-"));
const path = join(directory, "blob");
try {
  const client = registryClient({ credentials: "anonymous", retry: { retries: 0 } });
  const repository = client.repository(host + "/a");
  const begun = Date.now();
  if (direction === "up") {
    await pipeline(noise, createWriteStream(path));
    await repository.push(layer, replayable(() => createReadStream(path)));
  } else {
    await pipeline(repository.fetch(layer), createWriteStream(path));
  }
  const seen = tally();
  for await (const chunk of createReadStream(path)) seen.update(chunk);
  console.log(JSON.stringify({ same: seen.digest() === layer.digest, peak: process.resourceUsage().maxRSS * 1024, ms: Date.now() - begun }));
  await client[Symbol.asyncDispose]();
} finally { await rm(directory, { recursive: true, force: true }); }
`;

test.each(["up", "down"])(
  `${gibibytes} GiB go %s in under 120 MB`,
  async (direction) => {
    const result: unknown = JSON.parse(await runScript(transfer, [host, direction, String(size)]));
    if (process.env["UNDOCKED_LARGE_GIB"] !== undefined) console.log(direction, result);
    expect(result).toMatchObject({ same: true });
    expect((result as { peak: number }).peak).toBeLessThan(120e6);
  },
  300_000,
);
