import { randomBytes } from "node:crypto";
import {
  digestOf,
  encodeJson,
  MediaType,
  readAll,
  registryClient,
  type Descriptor,
  type RegistryClientOptions,
} from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { empty, json, scriptedServer, type Script, type ScriptedServer } from "../support/scripted-server.ts";

const blob = randomBytes(256 * 1024);
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};
const options: RegistryClientOptions = { credentials: "anonymous", retry: { baseMs: 1 } };
const manifestBytes = Buffer.from(encodeJson({ schemaVersion: 2, config: layer, layers: [] }));
const manifest: Descriptor = {
  mediaType: MediaType.ociManifest,
  digest: digestOf(manifestBytes),
  size: manifestBytes.byteLength,
};

async function withServer(script: Script, use: (server: ScriptedServer) => Promise<void>): Promise<void> {
  await using server = await scriptedServer(script);
  await use(server);
}

function repository(server: ScriptedServer, more: RegistryClientOptions = {}) {
  return registryClient({ ...options, ...more }).repository(`${server.host}/a`);
}

const download = async (server: ScriptedServer, more: RegistryClientOptions = {}): Promise<Buffer> =>
  Buffer.from(await readAll(repository(server, more).fetch(layer)));

describe("a download that is cut", () => {
  test("goes on where it stopped, with the hash of what came before", async () => {
    const ranges: (string | undefined)[] = [];
    await withServer(
      (request, response) => {
        const { range } = request.headers;
        ranges.push(range);
        const from = range === undefined ? 0 : Number(/bytes=(\d+)-/.exec(range)?.[1]);
        const last = blob.byteLength - 1;
        response.writeHead(from === 0 ? 200 : 206, {
          "Content-Length": blob.byteLength - from,
          ...(from === 0 ? {} : { "Content-Range": `bytes ${from}-${last}/${blob.byteLength}` }),
        });
        // Three pieces, then the connection breaks.
        const end = Math.min(from + 100_000, blob.byteLength);
        response.write(blob.subarray(from, end), () => {
          if (end < blob.byteLength) response.destroy();
          else response.end();
        });
      },
      async (server) => {
        expect((await download(server)).equals(blob)).toBe(true);
      },
    );
    expect(ranges.length).toBeGreaterThan(2);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ""))).toBe(true);
  });

  test("is right too where the server begins anew", async () => {
    let first = true;
    await withServer(
      (_, response) => {
        response.writeHead(200, { "Content-Length": blob.byteLength });
        if (first) response.write(blob.subarray(0, 70_000), () => response.destroy());
        else response.end(blob);
        first = false;
      },
      async (server) => {
        expect((await download(server)).equals(blob)).toBe(true);
      },
    );
  });

  test("ends with an error where the server goes on at another byte", async () => {
    let first = true;
    await withServer(
      (_, response) => {
        if (first) {
          response.writeHead(200, { "Content-Length": blob.byteLength });
          response.write(blob.subarray(0, 70_000), () => response.destroy());
        } else {
          response.writeHead(206, { "Content-Range": `bytes 1-${blob.byteLength - 1}/${blob.byteLength}` });
          response.end(blob.subarray(1));
        }
        first = false;
      },
      async (server) => {
        await expect(download(server)).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
      },
    );
  });

  describe("begins anew where a server does not go on", () => {
    /** The first answer is cut; a `Range` is answered as told, anything else with the whole. */
    const cutOnce = (range: Script): Script => {
      let first = true;
      return (request, response) => {
        if (request.headers.range !== undefined) return range(request, response);
        response.writeHead(200, { "Content-Length": blob.byteLength });
        if (first) response.write(blob.subarray(0, 70_000), () => response.destroy());
        else response.end(blob);
        first = false;
      };
    };

    test.each([400, 403, 405, 416, 501])("but answers %i", async (status) => {
      await withServer(
        cutOnce((_, response) => empty(response, status)),
        async (server) => {
          expect((await download(server)).equals(blob)).toBe(true);
          expect(server.requests.map(({ headers }) => headers.range !== undefined)).toEqual([
            false,
            true,
            false,
          ]);
        },
      );
    });

    test.each([
      `bytes 0-${blob.byteLength - 1}/${blob.byteLength}`,
      `bytes 1-${blob.byteLength - 1}/${blob.byteLength}`,
      "bytes",
    ])("but sends %s", async (contentRange) => {
      await withServer(
        cutOnce((_, response) => {
          response.writeHead(206, { "Content-Range": contentRange });
          response.end(blob);
        }),
        async (server) => {
          expect((await download(server)).equals(blob)).toBe(true);
        },
      );
    });

    test("and is right after several cuts", async () => {
      let whole = 0;
      await withServer(
        (request, response) => {
          if (request.headers.range !== undefined) return empty(response, 416);
          whole += 1;
          response.writeHead(200, { "Content-Length": blob.byteLength });
          const end = Math.min(blob.byteLength, whole * 60_000);
          response.write(blob.subarray(0, end), () => {
            if (end < blob.byteLength) response.destroy();
            else response.end();
          });
        },
        async (server) => {
          expect((await download(server)).equals(blob)).toBe(true);
          expect(server.requests.filter(({ headers }) => headers.range !== undefined)).toHaveLength(1);
        },
      );
    });

    test("and tells the second answer's error", async () => {
      let first = true;
      await withServer(
        (_, response) => {
          if (!first) return empty(response, 403);
          first = false;
          response.writeHead(200, { "Content-Length": blob.byteLength });
          response.write(blob.subarray(0, 70_000), () => response.destroy());
        },
        async (server) => {
          await expect(download(server)).rejects.toMatchObject({ code: "DENIED", status: 403 });
          expect(server.requests).toHaveLength(3);
        },
      );
    });
  });

  describe("without a word of its length", () => {
    test("is asked for again", async () => {
      let first = true;
      await withServer(
        (_, response) => {
          response.writeHead(200);
          response.end(first ? blob.subarray(0, 70_000) : blob);
          first = false;
        },
        async (server) => {
          expect((await download(server)).equals(blob)).toBe(true);
        },
      );
    });

    test.each([200, 416])("is too short where it ends there again; a Range gets %i", async (status) => {
      await withServer(
        (request, response) => {
          if (request.headers.range !== undefined && status === 416) return empty(response, status);
          response.writeHead(200);
          response.end(blob.subarray(0, 70_000));
        },
        async (server) => {
          await expect(download(server)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
          expect(server.requests).toHaveLength(status === 200 ? 2 : 3);
        },
      );
    });
  });

  test("after a byte each time is not asked for again without end", async () => {
    await withServer(
      (request, response) => {
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const last = blob.byteLength - 1;
        response.writeHead(from === 0 ? 200 : 206, {
          "Content-Length": blob.byteLength - from,
          ...(from === 0 ? {} : { "Content-Range": `bytes ${from}-${last}/${blob.byteLength}` }),
        });
        response.write(blob.subarray(from, from + 1), () => response.destroy());
      },
      async (server) => {
        await expect(download(server, { retry: { baseMs: 1, retries: 2 } })).rejects.toMatchObject({
          code: "REGISTRY_UNREACHABLE",
        });
        expect(server.requests).toHaveLength(3);
      },
    );
  });

  test("ends with an error after some tries", async () => {
    await withServer(
      (_, response) => {
        response.writeHead(200, { "Content-Length": blob.byteLength });
        response.flushHeaders();
        response.destroy();
      },
      async (server) => {
        await expect(download(server, { retry: { baseMs: 1, retries: 2 } })).rejects.toMatchObject({
          code: "REGISTRY_UNREACHABLE",
        });
      },
    );
  });
});

describe("content that is not what its descriptor says", () => {
  const serving = (bytes: Buffer, headers: Record<string, string> = {}): Script => {
    return (_, response) => {
      response.writeHead(200, { "Content-Length": bytes.byteLength, ...headers });
      response.end(bytes);
    };
  };

  test("another byte in a layer", async () => {
    const changed = Buffer.from(blob);
    changed.writeUInt8(changed.readUInt8(1000) ^ 1, 1000);
    await withServer(serving(changed), async (server) => {
      await expect(download(server)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    });
  });

  test("a layer that is too short", async () => {
    await withServer(serving(blob.subarray(1)), async (server) => {
      await expect(download(server)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
    });
  });

  test("a layer that is too long", async () => {
    await withServer(serving(Buffer.concat([blob, blob])), async (server) => {
      await expect(download(server)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
    });
  });

  test("a layer that a proxy encodes on the way", async () => {
    await withServer(serving(blob, { "Content-Encoding": "gzip" }), async (server) => {
      await expect(download(server)).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
    });
  });

  test("a manifest that was changed, whatever its digest header says", async () => {
    const changed = Buffer.from(manifestBytes.toString().replace('"layers":[]', '"layers":[ ]'));
    const script = serving(changed, {
      "Content-Type": MediaType.ociManifest,
      "Docker-Content-Digest": manifest.digest,
    });
    await withServer(script, async (server) => {
      await expect(readAll(repository(server).fetch(manifest))).rejects.toMatchObject({
        code: "SIZE_MISMATCH",
      });
      await expect(repository(server).fetchManifest(manifest.digest)).rejects.toMatchObject({
        code: "DIGEST_MISMATCH",
      });
      // By tag nobody promised a digest: it is that of what came.
      const { descriptor } = await repository(server).fetchManifest("latest");
      expect(descriptor.digest).toBe(digestOf(changed));
    });
  });

  test("an index where a manifest was promised", async () => {
    const index = Buffer.from(encodeJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] }));
    const promised = { ...manifest, digest: digestOf(index), size: index.byteLength };
    await withServer(serving(index, { "Content-Type": MediaType.ociIndex }), async (server) => {
      await expect(readAll(repository(server).fetch(promised))).rejects.toMatchObject({
        code: "MANIFEST_INVALID",
      });
    });
  });

  test("a manifest without end", async () => {
    const script: Script = (_, response) => {
      response.writeHead(200, { "Content-Type": MediaType.ociManifest });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, 32)));
        response.once("drain", more);
      };
      more();
    };
    await withServer(script, async (server) => {
      await expect(repository(server).fetchManifest("latest")).rejects.toMatchObject({
        code: "MANIFEST_INVALID",
      });
    });
  });
});

describe("resolve", () => {
  test("is one HEAD where that tells everything", async () => {
    const script: Script = (_, response) => {
      response.writeHead(200, {
        "Content-Type": `${MediaType.ociManifest}; charset=utf-8`,
        "Content-Length": manifest.size,
        "Docker-Content-Digest": manifest.digest,
      });
      response.end();
    };
    await withServer(script, async (server) => {
      expect(await repository(server).resolve("1")).toEqual(manifest);
      expect(server.lines()).toEqual(["HEAD /v2/a/manifests/1"]);
    });
  });

  test.each([
    ["the digest is missing", 200],
    ["there is no HEAD", 405],
    ["HEAD is forbidden", 403],
  ])("is a GET where %s", async (_, status) => {
    const script: Script = (request, response) => {
      if (request.method === "HEAD") {
        empty(response, status, { "Content-Type": MediaType.ociManifest });
        return;
      }
      response.writeHead(200, { "Content-Type": MediaType.ociManifest });
      response.end(manifestBytes);
    };
    await withServer(script, async (server) => {
      expect(await repository(server).resolve("1")).toEqual(manifest);
      expect(await repository(server).resolve(manifest.digest)).toEqual(manifest);
    });
  });

  test("asks for nothing that is neither a tag nor a digest", async () => {
    await withServer(
      (_, response) => empty(response, 200),
      async (server) => {
        for (const reference of ["", "../x", "a b", "sha256:abc", "x?y", "x#y", "a/b"]) {
          await expect(repository(server).resolve(reference)).rejects.toMatchObject({ code: "NAME_INVALID" });
        }
        expect(server.requests).toEqual([]);
      },
    );
  });
});

describe("what may pass", () => {
  test.each([429, 500, 502, 503, 504, 408])("%i is tried again", async (status) => {
    let left = 2;
    await withServer(
      (_, response) => {
        if (left > 0) {
          left -= 1;
          json(
            response,
            status,
            { errors: [{ code: "TOOMANYREQUESTS", message: "slow" }] },
            { "Retry-After": "0" },
          );
        } else response.end(blob);
      },
      async (server) => {
        expect((await download(server)).equals(blob)).toBe(true);
        expect(server.requests).toHaveLength(3);
      },
    );
  });

  test.each([
    [404, "BLOB_UNKNOWN"],
    [403, "DENIED"],
    [400, "REGISTRY_PROTOCOL"],
    [501, "UNSUPPORTED"],
  ])("%i is not: %s", async (status, code) => {
    await withServer(
      (_, response) => empty(response, status),
      async (server) => {
        await expect(download(server)).rejects.toMatchObject({ code, status });
        expect(server.requests).toHaveLength(1);
      },
    );
  });

  test("a server that is silent is given up", async () => {
    const limits = { headersMs: 50, idleMs: 50 };
    await withServer(
      () => undefined,
      async (server) => {
        await expect(download(server, { limits, retry: { retries: 1, baseMs: 1 } })).rejects.toMatchObject({
          code: "REGISTRY_TIMEOUT",
        });
        expect(server.requests).toHaveLength(2);
      },
    );
  });

  test("a server that falls silent in the middle is asked for the rest", async () => {
    let first = true;
    await withServer(
      (_, response) => {
        response.writeHead(200, { "Content-Length": blob.byteLength });
        if (first) response.write(blob.subarray(0, 5000));
        else response.end(blob);
        first = false;
      },
      async (server) => {
        const limits = { headersMs: 5_000, idleMs: 50 };
        expect((await download(server, { limits })).equals(blob)).toBe(true);
      },
    );
  });

  test("a body that is no error body is told by its first line", async () => {
    await withServer(
      (_, response) => {
        response.writeHead(400, { "Content-Type": "text/html" });
        response.end(`<html>\u001B[31mproxy\n${"x".repeat(1_000_000)}`);
      },
      async (server) => {
        const error = await download(server).catch((thrown: unknown) => thrown);
        expect(String(error)).toMatch(/was answered with 400(?:: <html>\[31mproxy)?$/);
      },
    );
  });
});

test("an abort ends a download in its middle with its reason", async () => {
  const stop = new AbortController();
  await withServer(
    (_, response) => {
      response.writeHead(200, { "Content-Length": blob.byteLength });
      response.write(blob.subarray(0, 5000));
    },
    async (server) => {
      const chunks = repository(server).fetch(layer, { signal: stop.signal })[Symbol.asyncIterator]();
      const pending = chunks.next();
      setTimeout(() => stop.abort(new Error("enough")), 20);
      await expect(pending).rejects.toThrow("enough");
    },
  );
});

test("no more requests at once than allowed", async () => {
  let open = 0;
  let most = 0;
  await withServer(
    (_, response) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        response.end(blob);
      }, 5);
    },
    async (server) => {
      const client = registryClient({ ...options, concurrency: 3 });
      const from = client.repository(`${server.host}/a`);
      await Promise.all(Array.from({ length: 20 }, () => readAll(from.fetch(layer))));
    },
  );
  expect(most).toBeLessThanOrEqual(3);
});
