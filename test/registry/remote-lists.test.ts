import {
  contentOf,
  digestOf,
  encodeJson,
  MediaType,
  registryClient,
  type Descriptor,
} from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { empty, json, scriptedServer, type ScriptedServer } from "../support/scripted-server.ts";

const repository = (server: ScriptedServer) =>
  registryClient({ credentials: "anonymous", retry: { baseMs: 1, retries: 1 } }).repository(
    `${server.host}/a`,
  );
const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
};

describe("tags", () => {
  test("come from all pages, whose links are relative or absolute", async () => {
    await using server = await scriptedServer((request, response) => {
      const last = request.query.get("last");
      const { host = "" } = request.headers;
      if (last === null)
        json(response, 200, { tags: ["1", "2"] }, { Link: '</v2/a/tags/list?last=2>; rel="next"' });
      else if (last === "2")
        json(response, 200, { tags: null }, { Link: `<http://${host}/v2/a/tags/list?last=3>; rel=next` });
      else json(response, 200, { tags: ["4"] }, { "Content-Type": "text/plain" });
    });
    expect(await all(repository(server).tags())).toEqual(["1", "2", "4"]);
    expect(server.requests[0]?.target).toBe("/v2/a/tags/list?n=1000");
  });

  test.each([
    ["another host", '<https://evil.example/x>; rel="next"', "REDIRECT_REFUSED"],
    ["itself", '</v2/a/tags/list?n=1000>; rel="next"', "REDIRECT_REFUSED"],
    ["nothing that can be read", '</x; rel="next"', "REDIRECT_REFUSED"],
  ])("are not read on from a link to %s", async (_, link, code) => {
    await using server = await scriptedServer((__, response) =>
      json(response, 200, { tags: ["1"] }, { Link: link }),
    );
    await expect(all(repository(server).tags())).rejects.toMatchObject({ code });
    expect(server.requests).toHaveLength(1);
  });

  test("are not read in a circle", async () => {
    await using server = await scriptedServer((request, response) => {
      const next = request.query.get("p") === "1" ? "2" : "1";
      json(response, 200, { tags: ["1"] }, { Link: `</v2/a/tags/list?p=${next}>; rel="next"` });
    });
    await expect(all(repository(server).tags())).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
  });

  test("do not go on for ever (TOO_MANY_PAGES)", async () => {
    await using server = await scriptedServer((request, response) => {
      const page = Number(request.query.get("p") ?? 0) + 1;
      json(response, 200, { tags: [] }, { Link: `</v2/a/tags/list?p=${page}>; rel="next"` });
    });
    await expect(all(repository(server).tags())).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
  });
});

const subject: Descriptor = { mediaType: MediaType.ociManifest, digest: digestOf("subject"), size: 7 };
const signature: Descriptor = {
  mediaType: MediaType.ociManifest,
  digest: digestOf("signature"),
  size: 9,
  artifactType: "application/x.signature",
};
const index = (manifests: readonly Descriptor[]) => ({
  schemaVersion: 2,
  mediaType: MediaType.ociIndex,
  manifests,
});
const tag = subject.digest.replace(":", "-");

describe("referrers", () => {
  test("come from the API, and are filtered here where the registry does not", async () => {
    const other = { ...signature, digest: digestOf("other"), artifactType: "application/x.other" };
    await using server = await scriptedServer((_, response) =>
      json(response, 200, index([signature, other]), { "Content-Type": MediaType.ociIndex }),
    );
    expect(await all(repository(server).referrers(subject.digest))).toEqual([signature, other]);
    const artifactType = "application/x.signature";
    expect(await all(repository(server).referrers(subject.digest, { artifactType }))).toEqual([signature]);
    expect(server.requests.at(-1)?.query.get("artifactType")).toBe(artifactType);
  });

  test("come from the tag where there is no API", async () => {
    await using server = await scriptedServer((request, response) => {
      if (request.path.endsWith(`/manifests/${tag}`))
        json(response, 200, index([signature]), { "Content-Type": MediaType.ociIndex });
      else empty(response, 404);
    });
    expect(await all(repository(server).referrers(subject.digest))).toEqual([signature]);
  });

  test("are none where there is neither", async () => {
    await using server = await scriptedServer((_, response) => empty(response, 404));
    expect(await all(repository(server).referrers(subject.digest))).toEqual([]);
  });

  test("are written to the tag by a push to a registry that does not notice subjects", async () => {
    let tagged: unknown;
    await using server = await scriptedServer(async (request, response) => {
      const isTag = request.path.endsWith(`/manifests/${tag}`);
      if (request.method === "PUT") {
        const body = await request.body();
        if (isTag) tagged = JSON.parse(body.toString());
        empty(response, 201);
      } else if (isTag && tagged !== undefined)
        json(response, 200, tagged, { "Content-Type": MediaType.ociIndex });
      else empty(response, 404);
    });
    const config: Descriptor = { mediaType: "application/x.signature", digest: digestOf("{}"), size: 2 };
    const bytes = encodeJson({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config,
      layers: [],
      subject,
    });
    const pushed = { mediaType: MediaType.ociManifest, digest: digestOf(bytes), size: bytes.byteLength };
    await repository(server).push(pushed, contentOf(bytes));
    expect(tagged).toEqual(index([{ ...pushed, artifactType: "application/x.signature" }]));
    expect(await all(repository(server).referrers(subject.digest))).toHaveLength(1);
  });
});

describe("delete", () => {
  test("tells whether it was there", async () => {
    await using server = await scriptedServer((request, response) =>
      empty(response, request.path.endsWith("/1") ? 202 : 404),
    );
    expect(await repository(server).delete("1")).toBe(true);
    expect(await repository(server).delete("2")).toBe(false);
    expect(await repository(server).delete(signature)).toBe(false);
    expect(await repository(server).delete({ ...signature, mediaType: MediaType.ociLayer })).toBe(false);
    expect(server.lines()).toEqual([
      "DELETE /v2/a/manifests/1",
      "DELETE /v2/a/manifests/2",
      // What it refers to may have to be told.
      `GET /v2/a/manifests/${signature.digest}`,
      `DELETE /v2/a/manifests/${signature.digest}`,
      `DELETE /v2/a/blobs/${signature.digest}`,
    ]);
  });

  test("says so where the registry does not delete", async () => {
    await using server = await scriptedServer((_, response) => empty(response, 405));
    await expect(repository(server).delete("1")).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
