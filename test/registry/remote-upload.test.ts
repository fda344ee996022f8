import { randomBytes } from "node:crypto";
import {
  contentOf,
  digestOf,
  MediaType,
  registryClient,
  replayable,
  type Descriptor,
  type OpenedUpload,
  type RegistryClientOptions,
} from "@undocked/registry";
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import {
  empty,
  json,
  scriptedServer,
  type ScriptedServer,
  type SeenRequest,
} from "../support/scripted-server.ts";

const blob = randomBytes(100_000);
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};
const again = replayable(() => contentOf(blob));
const options: RegistryClientOptions = { credentials: "anonymous", retry: { baseMs: 1 } };
const repository = (server: ScriptedServer, more: RegistryClientOptions = {}) =>
  registryClient({ ...options, ...more }).repository(`${server.host}/a`);

/** A registry that has nothing and takes everything, but for what `override` does itself (and then returns true). */
function taking(
  location: (request: SeenRequest, session: number) => string,
  override: (
    request: SeenRequest,
    response: ServerResponse,
    session: number,
  ) => Promise<boolean> | boolean = () => false,
) {
  let session = 0;
  return async (request: SeenRequest, response: ServerResponse): Promise<void> => {
    if (request.method === "POST") session += 1;
    if (await override(request, response, session)) return;
    if (request.method === "HEAD") empty(response, 404);
    else if (request.method === "POST") empty(response, 202, { Location: location(request, session) });
    else if (request.method === "DELETE") empty(response, 204);
    else {
      const body = await request.body();
      const right = body.equals(blob) && request.query.get("digest") === layer.digest;
      empty(response, right ? 201 : 400);
    }
  };
}

describe("a blob goes up", () => {
  test("by HEAD, POST and one PUT of its whole length", async () => {
    await using server = await scriptedServer(taking(() => "/up/1"));
    await repository(server).push(layer, contentOf(blob));
    expect(server.lines()).toEqual([
      `HEAD /v2/a/blobs/${layer.digest}`,
      "POST /v2/a/blobs/uploads/",
      "PUT /up/1",
    ]);
    const [, post, put] = server.requests;
    expect(post?.headers["content-length"]).toBe("0");
    expect(put?.headers["content-length"]).toBe(String(layer.size));
    expect(put?.headers["content-type"]).toBe("application/octet-stream");
    expect(put?.headers["content-range"]).toBeUndefined();
  });

  test.each([
    ["relative to the POST", () => "session-1", "/v2/a/blobs/uploads/session-1?"],
    [
      "a path with a state",
      () => "/u?_state=AbC%2Fd-_~%3D%3D&b=1+2&a=%20",
      "/u?_state=AbC%2Fd-_~%3D%3D&b=1+2&a=%20&",
    ],
    ["absolute", ({ headers }: SeenRequest) => `http://${headers.host}/u?x=1`, "/u?x=1&"],
    ["only a query", () => "?s=1", "/v2/a/blobs/uploads/?s=1&"],
  ])("to a Location that is %s", async (_, location, target) => {
    await using server = await scriptedServer(taking(location));
    await repository(server).push(layer, contentOf(blob));
    expect(server.requests.at(-1)?.target).toBe(`${target}digest=${encodeURIComponent(layer.digest)}`);
  });

  test.each([
    ["nowhere", ""],
    ["another scheme", "file:///etc/passwd"],
    ["a user", "http://u:p@127.0.0.1/x"],
  ])("not to a Location with %s", async (_, location) => {
    await using server = await scriptedServer(taking(() => location));
    await expect(repository(server).push(layer, contentOf(blob))).rejects.toMatchObject({
      code: "REDIRECT_REFUSED",
    });
  });

  test("not at all where it is", async () => {
    await using server = await scriptedServer((_, response) => empty(response, 200));
    await repository(server).push(layer, contentOf(blob));
    expect(server.lines()).toEqual([`HEAD /v2/a/blobs/${layer.digest}`]);
  });

  test("follows a 307 of the PUT to another place, and reads its content again for that", async () => {
    await using server = await scriptedServer(
      taking(
        () => "/up/1",
        (request, response) => {
          if (request.method !== "PUT" || request.path !== "/up/1") return false;
          empty(response, 307, { Location: `/elsewhere?digest=${layer.digest}`, Connection: "close" });
          return true;
        },
      ),
    );
    await repository(server).push(layer, again);
    expect(server.lines().at(-1)).toBe("PUT /elsewhere");
  });
});

describe("an upload that goes wrong", () => {
  test.each([
    ["a 503", (response: ServerResponse) => empty(response, 503, { "Retry-After": "0" })],
    ["a connection that breaks", (response: ServerResponse) => void response.destroy()],
    [
      "a session that the registry lost",
      (response: ServerResponse) => json(response, 404, { errors: [{ code: "BLOB_UPLOAD_UNKNOWN" }] }),
    ],
  ])("after %s, starts anew in a new session", async (_, fail) => {
    await using server = await scriptedServer(
      taking(
        (__, session) => `/up/${session}`,
        async (request, response, session) => {
          if (request.method !== "PUT" || session > 2) return false;
          await request.body();
          fail(response);
          return true;
        },
      ),
    );
    let readings = 0;
    await repository(server).push(
      layer,
      replayable(() => {
        readings += 1;
        return contentOf(blob);
      }),
    );
    expect(readings).toBe(3);
    expect(server.lines().filter((line) => line.startsWith("PUT"))).toEqual([
      "PUT /up/1",
      "PUT /up/2",
      "PUT /up/3",
    ]);
    expect(server.lines().filter((line) => line.startsWith("DELETE"))).toEqual([
      "DELETE /up/1",
      "DELETE /up/2",
    ]);
  });

  test("is final where the content can be read only once", async () => {
    await using server = await scriptedServer(
      taking(
        (_, session) => `/up/${session}`,
        async (request, response) => {
          if (request.method !== "PUT") return false;
          await request.body();
          empty(response, 503);
          return true;
        },
      ),
    );
    await expect(repository(server).push(layer, contentOf(blob))).rejects.toMatchObject({ status: 503 });
    expect(server.lines().filter((line) => line.startsWith("PUT"))).toHaveLength(1);
    expect(server.lines().at(-1)).toBe("DELETE /up/1");
  });

  test("leaves no session after an abort in its middle", async () => {
    const stop = new AbortController();
    let taken = 0;
    await using server = await scriptedServer(
      taking(
        () => "/up/1",
        async (request) => {
          if (request.method !== "PUT") return false;
          taken = (await request.body().catch(() => Buffer.alloc(0))).byteLength;
          return true;
        },
      ),
    );
    const endless = replayable(async function* () {
      yield blob.subarray(0, 50_000);
      stop.abort(new Error("enough"));
      await new Promise((resolve) => setTimeout(resolve, 10));
      yield blob.subarray(50_000);
    });
    await expect(repository(server).push(layer, endless, { signal: stop.signal })).rejects.toThrow("enough");
    expect(server.lines().at(-1)).toBe("DELETE /up/1");
    expect(taken).toBe(0);
  });

  test.each([
    ["DIGEST_MISMATCH", Buffer.from(blob).fill(1, 0, 10)],
    ["SIZE_MISMATCH", blob.subarray(1)],
    ["SIZE_MISMATCH", Buffer.concat([blob, blob])],
  ])(
    "ends with %s, and at the server without its end, where the content is not what it should be",
    async (code, bytes) => {
      let whole = false;
      await using server = await scriptedServer(
        taking(
          () => "/up/1",
          async (request) => {
            if (request.method !== "PUT") return false;
            await request.body().then(
              () => (whole = true),
              () => undefined,
            );
            return true;
          },
        ),
      );
      const wrong = replayable(() => contentOf(bytes));
      await expect(repository(server).push(layer, wrong)).rejects.toMatchObject({ code });
      expect(whole).toBe(false);
      expect(server.lines().at(-1)).toBe("DELETE /up/1");
    },
  );

  test("tells what the content's own reading threw", async () => {
    await using server = await scriptedServer(taking(() => "/up/1"));
    const broken = replayable(async function* () {
      yield blob.subarray(0, 10);
      throw new Error("the disk is gone");
    });
    await expect(repository(server).push(layer, broken)).rejects.toThrow("the disk is gone");
  });
});

describe("a mount", () => {
  const outcome = async (status: number): Promise<readonly [boolean, readonly string[]]> => {
    await using server = await scriptedServer((request, response) => {
      if (request.method === "POST") empty(response, status, { Location: "/up/1" });
      else empty(response, 204);
    });
    const mounted = await repository(server).mount(layer, "other/place");
    return [mounted, server.requests.map(({ method, target }) => `${method} ${target}`)];
  };
  const post = `POST /v2/a/blobs/uploads/?mount=${encodeURIComponent(layer.digest)}&from=other%2Fplace`;

  test("is done with 201", async () => {
    expect(await outcome(201)).toEqual([true, [post]]);
  });
  test("is not done with 202, and the session is given up", async () => {
    expect(await outcome(202)).toEqual([false, [post, "DELETE /up/1"]]);
  });
  test("is not done with 202, and the upload that was opened takes the blob", async () => {
    await using server = await scriptedServer(taking(() => "/up/1"));
    let upload: OpenedUpload | undefined;
    const place = repository(server);
    const onUpload = (opened: OpenedUpload): void => void (upload = opened);
    expect(await place.mount(layer, "other/place", { onUpload })).toBe(false);
    await using opened = upload;
    if (opened === undefined) throw new Error("there is an upload");
    await place.push(layer, again, { known: "absent", upload: opened });
    expect(server.lines()).toEqual(["POST /v2/a/blobs/uploads/", "PUT /up/1"]);
    await opened[Symbol.asyncDispose]();
    expect(server.lines()).toHaveLength(2);
  });
  test("with 202 leaves the upload to whoever asked for it, and it is given up if it is not used", async () => {
    await using server = await scriptedServer(taking(() => "/up/1"));
    const uploads: OpenedUpload[] = [];
    const onUpload = (opened: OpenedUpload): void => void uploads.push(opened);
    await repository(server).mount(layer, "other/place", { onUpload });
    expect(server.lines()).toEqual(["POST /v2/a/blobs/uploads/"]);
    // Another repository's is none of its business.
    for (const upload of uploads)
      await registryClient(options)
        .repository(`${server.host}/b`)
        .push(layer, again, { known: "absent", upload });
    expect(server.lines().slice(1)).toEqual(["POST /v2/b/blobs/uploads/", "PUT /up/1"]);
    for (const upload of [...uploads, ...uploads]) await upload[Symbol.asyncDispose]();
    expect(server.lines().slice(3)).toEqual(["DELETE /up/1"]);
  });
  test("with 202 whose upload has ended by then goes on in another", async () => {
    await using server = await scriptedServer(
      taking(
        (_, session) => `/up/${session}`,
        async (request, response) => {
          if (request.line !== "PUT /up/1") return false;
          await request.body();
          json(response, 404, { errors: [{ code: "BLOB_UPLOAD_UNKNOWN" }] });
          return true;
        },
      ),
    );
    const place = repository(server);
    const uploads: OpenedUpload[] = [];
    await place.mount(layer, "other/place", { onUpload: (opened) => void uploads.push(opened) });
    for (const upload of uploads) await place.push(layer, again, { known: "absent", upload });
    expect(server.lines().filter((line) => line.startsWith("PUT"))).toEqual(["PUT /up/1", "PUT /up/2"]);
  });
  test.each([400, 401, 403, 404, 405])("is not done with %i", async (status) => {
    expect(await outcome(status)).toEqual([false, [post]]);
  });
  test.each([500, 502, 503, 507])("is not done with %i, and is not asked for at length", async (status) => {
    const [mounted, asked] = await outcome(status);
    expect(mounted).toBe(false);
    expect(asked.every((line) => line === post)).toBe(true);
    expect(asked.length).toBeLessThanOrEqual(2);
  });
  test("is not done where the line breaks each time", async () => {
    await using server = await scriptedServer((_, response) => void response.destroy());
    expect(await repository(server).mount(layer, "other/place")).toBe(false);
    expect(server.requests.filter(({ method }) => method === "POST").length).toBeLessThanOrEqual(2);
  });
  test("that fails once in passing is done the second time", async () => {
    let count = 0;
    await using server = await scriptedServer((_, response) => empty(response, ++count === 1 ? 503 : 201));
    expect(await repository(server).mount(layer, "other/place")).toBe(true);
  });
  test("is not tried from the same repository, nor where another login would be needed", async () => {
    await using server = await scriptedServer((_, response) => empty(response, 201));
    expect(await repository(server).mount(layer, "a")).toBe(false);
    const client = registryClient({
      credentials: async ({ repository: name }) => ({ username: name, password: "p" }),
    });
    expect(await client.repository(`${server.host}/a`).mount(layer, "b")).toBe(false);
    expect(server.requests).toEqual([]);
  });
});

describe("a tag", () => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config: layer, layers: [] }));
  const root: Descriptor = {
    mediaType: MediaType.ociManifest,
    digest: digestOf(bytes),
    size: bytes.byteLength,
  };
  const manifestHeaders = (digest: string) => ({
    "Content-Type": MediaType.ociManifest,
    "Docker-Content-Digest": digest,
  });

  test("that stands is not set again, so that it may be immutable", async () => {
    await using server = await scriptedServer((_, response) =>
      empty(response, 200, manifestHeaders(root.digest)),
    );
    await repository(server).tag(root, "1.0");
    expect(server.lines()).toEqual(["HEAD /v2/a/manifests/1.0"]);
  });

  test("that cannot be moved is told with what to do", async () => {
    await using server = await scriptedServer((request, response) => {
      if (request.method === "HEAD") empty(response, 200, manifestHeaders(layer.digest));
      else if (request.method === "GET") {
        response.writeHead(200, manifestHeaders(root.digest));
        response.end(bytes);
      } else {
        json(response, 400, {
          errors: [
            {
              code: "TAG_INVALID",
              message:
                "The image tag '1.0' already exists and cannot be overwritten because the repository is immutable.",
            },
          ],
        });
      }
    });
    await expect(repository(server).tag(root, "1.0")).rejects.toMatchObject({
      status: 400,
      hint: expect.stringContaining("new tag") as string,
    });
  });

  test("is set with the bytes of the manifest as they are", async () => {
    let put: Buffer | undefined;
    await using server = await scriptedServer(async (request, response) => {
      if (request.method === "HEAD") empty(response, 404);
      else if (request.method === "GET") {
        response.writeHead(200, manifestHeaders(root.digest));
        response.end(bytes);
      } else {
        put = await request.body();
        empty(response, 201, manifestHeaders(root.digest));
      }
    });
    await repository(server).tag(root, "1.0");
    expect(put?.equals(bytes)).toBe(true);
    expect(server.requests.at(-1)?.headers["content-type"]).toBe(MediaType.ociManifest);
  });

  test("of other content than was sent is an error", async () => {
    await using server = await scriptedServer((request, response) => {
      if (request.method === "HEAD") empty(response, 404);
      else empty(response, 201, manifestHeaders(layer.digest));
    });
    await expect(repository(server).push(root, contentOf(bytes))).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
  });

  test("comes with its manifest in one request, by whose answer the registry tells what it stored", async () => {
    await using server = await scriptedServer((_, response) =>
      empty(response, 201, manifestHeaders(root.digest)),
    );
    await repository(server).pushNamed(root, contentOf(bytes), ["1.0"]);
    expect(server.lines()).toEqual(["PUT /v2/a/manifests/1.0"]);
  });

  test.each([
    ["in the answer", "answer", ["PUT /v2/a/manifests/1.0"]],
    [
      "asked for, where the answer does not tell",
      "question",
      ["PUT /v2/a/manifests/1.0", "HEAD /v2/a/manifests/1.0"],
    ],
  ] as const)("for other content than was sent is an error: %s", async (_name, where, lines) => {
    await using server = await scriptedServer((request, response) => {
      const { "Docker-Content-Digest": digest, ...headers } = manifestHeaders(layer.digest);
      if (request.method === "HEAD")
        empty(response, 200, { ...manifestHeaders(layer.digest), "Content-Length": "9" });
      else
        empty(response, 201, where === "answer" ? { ...headers, "Docker-Content-Digest": digest } : headers);
    });
    await expect(repository(server).pushNamed(root, contentOf(bytes), ["1.0"])).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
    expect(server.lines()).toEqual(lines);
  });

  test.each(["../b", "a/b", "", "sha256:1"])("that is none goes into no URL: %j", async (name) => {
    await using server = await scriptedServer((_, response) => empty(response, 201));
    await expect(repository(server).pushNamed(root, contentOf(bytes), [name])).rejects.toMatchObject({
      code: "NAME_INVALID",
    });
    expect(server.requests).toEqual([]);
  });

  test("of a digest of another kind is put by the digest: under a name the registry would choose the kind", async () => {
    await using server = await scriptedServer((request, response) =>
      empty(response, 201, request.target.includes("?tag=") ? { "OCI-Tag": "1.0" } : {}),
    );
    const target = { ...root, digest: digestOf(bytes, "sha512") };
    await repository(server).pushNamed(target, contentOf(bytes), ["1.0"]);
    expect(server.requests.map(({ target }) => target)).toEqual([`/v2/a/manifests/${target.digest}?tag=1.0`]);
  });

  test("that is looked for and not there is one question, whatever the reason", async () => {
    await using server = await scriptedServer((_, response) => empty(response, 404));
    expect(await repository(server).find("1.0")).toBeUndefined();
    expect(server.lines()).toEqual(["HEAD /v2/a/manifests/1.0"]);
  });
});
