import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import {
  contentOf,
  copyImage,
  digestOf,
  encodeJson,
  fetchUrl,
  MediaType,
  memoryStore,
  parseManifestDocument,
  parseReference,
  readAll,
  registryClient,
  replayable,
  storedCredentials,
  type Descriptor,
  type RegistryClient,
  type RegistryClientOptions,
  type RegistryEvent,
  type Transport,
} from "@undocked/registry";
import { describe, expect, test } from "vitest";
import {
  empty,
  json,
  namedServers,
  scriptedServer,
  type ScriptedServer,
} from "../support/scripted-server.ts";

const blob = randomBytes(2000);
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};
const content = replayable(() => contentOf(blob));
const secret = "CANARY-pass:wörd";

/** A client with a login for one host; `names` are public names of servers on this machine. */
function victim(
  login: string,
  names?: Readonly<Record<string, ScriptedServer>>,
  more: RegistryClientOptions = {},
): RegistryClient {
  return registryClient({
    credentials: { [login]: { username: "user", password: secret } },
    retry: { retries: 1, baseMs: 1 },
    limits: { headersMs: 5000, idleMs: 5000 },
    ...(names === undefined ? {} : { transport: namedServers(names) }),
    ...more,
  });
}

/** Counts what comes, and answers with a challenge, which a careless client would answer with what it has. */
const trap = () =>
  scriptedServer((_, response) => empty(response, 401, { "WWW-Authenticate": 'Basic realm="trap"' }));

const withoutSecrets = (server: ScriptedServer): void => {
  expect(server.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
};

const basicFirst = (
  answer: (
    request: Parameters<Parameters<typeof scriptedServer>[0]>[0],
    response: ServerResponse,
  ) => void | Promise<void>,
) =>
  scriptedServer(async (request, response) => {
    if (request.authorization === undefined) {
      empty(response, 401, { "WWW-Authenticate": 'Basic realm="x"' });
    } else await answer(request, response);
  });

const endless = async (response: ServerResponse, type = "application/json"): Promise<void> => {
  response.writeHead(200, { "Content-Type": type });
  const piece = Buffer.alloc(64 * 1024, " ");
  let goOn = (): void => {};
  response.on("drain", () => goOn()).on("close", () => goOn());
  while (!response.destroyed && response.socket?.destroyed !== true) {
    if (response.write(piece)) continue;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
  }
};

describe("credentials", () => {
  test("CVE-2020-15157 (GHSA-742w-89gc-8m9c): a foreign layer's URL is not gone to at all", async () => {
    await using attacker = await trap();
    const from = memoryStore();
    const config = await from.ingest(MediaType.ociConfig, contentOf(encodeJson({})));
    const foreign: Descriptor = {
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      digest: layer.digest,
      size: layer.size,
      urls: [`${attacker.url}/layer`],
    };
    const bytes = encodeJson({
      schemaVersion: 2,
      mediaType: MediaType.dockerManifest,
      config,
      layers: [foreign],
    });
    const root = await from.ingest(MediaType.dockerManifest, contentOf(bytes));
    await using registry = await basicFirst(async (request, response) => {
      const [kind = "", name = ""] = request.path.split("/").slice(-2);
      const wanted = name === config.digest ? config : kind === "manifests" ? root : undefined;
      if (wanted === undefined) {
        empty(response, 404);
        return;
      }
      response.writeHead(200, { "Content-Type": wanted.mediaType, "Content-Length": wanted.size });
      if (request.method === "HEAD") response.end();
      else response.end(await readAll(from.fetch(wanted)));
    });
    await using client = victim(registry.host);
    await copyImage(root, client.repository(`${registry.host}/a`), memoryStore());
    await expect(readAll(client.repository(`${registry.host}/a`).fetch(foreign))).rejects.toMatchObject({
      code: "BLOB_UNKNOWN",
    });
    expect(attacker.requests).toEqual([]);
  });

  test.each([
    ["plain http", "http://attacker.example/token"],
    ["the machine's metadata", "https://169.254.169.254/latest"],
    ["the metadata as a number", "https://2852039166/latest"],
    ["this machine, as IPv6", "https://[::ffff:127.0.0.1]/token"],
    ["a user in it", "https://user@attacker.example/token"],
    ["another scheme", "file:///etc/passwd"],
  ])(
    "CVE-2026-48978 (GHSA-xf85-363p-868w, GHSA-28r5-37g7-p6mp, GHSA-9m43-p3cx-w8j5, ggcr 2193, ggcr 2258, golang/vulndb 6092, Test_validateRealm): no login for a realm with %s",
    async (_, realm) => {
      await using registry = await scriptedServer((__, response) =>
        empty(response, 401, { "WWW-Authenticate": `Bearer realm="${realm}",service="s"` }),
      );
      await using attacker = await trap();
      await using client = victim("registry.example", {
        "https://registry.example": registry,
        [new URL(realm).origin]: attacker,
        "http://attacker.example": attacker,
      });
      await expect(client.repository("registry.example/a").resolve("1")).rejects.toMatchObject({
        code: "REDIRECT_REFUSED",
      });
      expect(attacker.requests).toEqual([]);
    },
  );

  test("CVE-2019-10214: the token server of a registry on https is not asked on http", async () => {
    await using registry = await scriptedServer((_, response) =>
      empty(response, 401, { "WWW-Authenticate": 'Bearer realm="http://registry.example/token"' }),
    );
    await using clear = await trap();
    await using client = victim("registry.example", {
      "https://registry.example": registry,
      "http://registry.example": clear,
    });
    await expect(client.repository("registry.example/a").push(layer, content)).rejects.toMatchObject({
      code: "REDIRECT_REFUSED",
    });
    expect(clear.requests).toEqual([]);
  });

  test("CVE-2026-50151 (GHSA-jxpm-75mh-9fp7, Test_BlobStore_Push_CrossHostRedirect): an upload's Location on another host gets none", async () => {
    await using other = await trap();
    await using registry = await basicFirst((request, response) => {
      if (request.method === "POST") empty(response, 202, { Location: `${other.url}/upload` });
      else empty(response, 404);
    });
    await using client = victim(registry.host);
    await expect(client.repository(`${registry.host}/a`).push(layer, content)).rejects.toMatchObject({
      code: "UNAUTHORIZED",
    });
    expect(other.requests.length).toBeGreaterThan(0);
    withoutSecrets(other);
  });

  test.each([301, 302, 303, 307, 308])(
    "GHSA-vh4v-2xq2-g5cg, CVE-2022-0235, CVE-2024-30260, CVE-2023-45143, Test_sameHTTPOrigin, TestClient_Do_Basic_Auth_RedirectAfterAuth: another port after a %i gets none",
    async (status) => {
      await using other = await trap();
      await using registry = await basicFirst((_, response) =>
        empty(response, status, { Location: `${other.url}/blob` }),
      );
      await using client = victim(registry.host);
      await expect(readAll(client.repository(`${registry.host}/a`).fetch(layer))).rejects.toThrow();
      expect(other.requests.length).toBeGreaterThan(0);
      withoutSecrets(other);
    },
  );

  test("ggcr TestTokenServerRedirectSSRF: a token server's redirect to another origin gets none", async () => {
    await using other = await trap();
    await using tokens = await scriptedServer((_, response) =>
      empty(response, 307, { Location: `${other.url}/token` }),
    );
    await using registry = await scriptedServer((_, response) =>
      empty(response, 401, { "WWW-Authenticate": `Bearer realm="${tokens.url}/token"` }),
    );
    await using client = victim(registry.host);
    await expect(client.repository(`${registry.host}/a`).resolve("1")).rejects.toThrow();
    withoutSecrets(other);
  });
});

describe("where a server sends us", () => {
  test.each(["10.1.2.3", "::ffff:192.168.0.1", "fd00::1", "fe80::1%eth0"])(
    "from a registry that has a name, and is at %s, to the private token server and stores beside it",
    async (address) => {
      await using beside = await scriptedServer(async (request, response) => {
        if (request.path === "/token") json(response, 200, { token: "T" });
        else if (request.method === "PUT") {
          await request.body();
          empty(response, 201);
        } else response.end(blob);
      });
      await using registry = await scriptedServer((request, response) => {
        if (request.authorization === undefined) {
          empty(response, 401, { "WWW-Authenticate": 'Bearer realm="https://10.9.9.9/token"' });
        } else if (request.method === "HEAD") empty(response, 404);
        else if (request.method === "POST") empty(response, 202, { Location: "https://10.9.9.9/upload" });
        else empty(response, 307, { Location: "https://10.9.9.9/blob" });
      });
      const names = { "https://registry.example": registry, "https://10.9.9.9": beside };
      await using client = victim("registry.example", undefined, { transport: namedServers(names, address) });
      const repository = client.repository("registry.example/a");
      expect(Buffer.from(await readAll(repository.fetch(layer))).equals(blob)).toBe(true);
      await repository.push(layer, content);
      expect(beside.lines()).toContain("PUT /upload");
    },
  );

  test.each([
    "http://127.0.0.1:1/x",
    "https://127.0.0.1/x",
    "https://2130706433/x",
    "https://0x7f.1/x",
    "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://169.254.169.254/x",
    "https://localhost/x",
    "//localhost/x",
  ])(
    "ggcr 2295, ggcr 2293, ggcr 2292, ggcr 2332, ggcr 2440 (TestNextLocationSSRFProtection, TestCheckRedirectSSRF): from a public registry not to %s",
    async (location) => {
      await using registry = await scriptedServer((request, response) => {
        if (request.method === "POST") empty(response, 202, { Location: location });
        else if (request.method === "HEAD") empty(response, 404);
        else empty(response, 307, { Location: location });
      });
      await using inner = await trap();
      await using client = victim("registry.example", {
        "https://registry.example": registry,
        [new URL(location, "https://a").origin]: inner,
      });
      const repository = client.repository("registry.example/a");
      const refused = { code: "REDIRECT_REFUSED" };
      await expect(readAll(repository.fetch(layer))).rejects.toMatchObject(refused);
      await expect(repository.push(layer, content)).rejects.toMatchObject(refused);
      expect(inner.requests).toEqual([]);
    },
  );

  test("GHSA-h7vf-4x9w-h99v, TestGetNextPageURL_SSRF: a page of a listing on another host is not asked for", async () => {
    await using other = await trap();
    await using registry = await scriptedServer((_, response) =>
      json(response, 200, { tags: ["a"] }, { Link: `<${other.url}/v2/a/tags/list>; rel="next"` }),
    );
    await using client = victim(registry.host);
    const read = async (): Promise<void> => {
      for await (const _ of client.repository(`${registry.host}/a`).tags());
    };
    await expect(read()).rejects.toMatchObject({ code: "REDIRECT_REFUSED" });
    expect(other.requests).toEqual([]);
  });

  // Ten thousand answers, which take a while on a busy machine.
  test.each([
    ["in a circle", (page: number) => (page + 1) % 3],
    ["always new", (page: number) => page + 1],
  ])("oras-go 1215: pages without end, %s, end", { timeout: 300_000 }, async (_, next) => {
    let page = 0;
    await using registry = await scriptedServer((_request, response) => {
      page = next(page);
      json(response, 200, { tags: [] }, { Link: `</v2/a/tags/list?page=${page}>; rel="next"` });
    });
    await using client = victim(registry.host);
    const read = async (): Promise<void> => {
      for await (const __ of client.repository(`${registry.host}/a`).tags());
    };
    await expect(read()).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
  });

  test.each([
    ["a layer's own URL does not lead inside", "https://169.254.169.254/layer"],
    ["nor does what it redirects to", "https://cdn.example/layer"],
  ])("TestValidateForeignURL, TestPullingForeignLayerSSRFViaRedirect: %s", async (_, url) => {
    await using inner = await trap();
    await using registry = await scriptedServer((__, response) => empty(response, 404));
    await using cdn = await scriptedServer((__, response) =>
      empty(response, 307, { Location: "https://169.254.169.254/layer" }),
    );
    const foreign: Descriptor = {
      ...layer,
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      urls: [url],
    };
    const names = {
      "https://registry.example": registry,
      "https://cdn.example": cdn,
      "https://169.254.169.254": inner,
    };
    await using client = victim("registry.example", names, { foreignLayers: "fetch" });
    const read = readAll(client.repository("registry.example/a").fetch(foreign));
    await expect(read).rejects.toMatchObject({ code: "REDIRECT_REFUSED" });
    expect(inner.requests).toEqual([]);
  });

  /** What is asked for, with whether it must be at a public address. */
  const watching = (names: Readonly<Record<string, ScriptedServer>>, addresses: Record<string, string>) => {
    const asked: string[] = [];
    const known = namedServers(names);
    const transport: Transport = async (request) => {
      const { origin, host } = new URL(request.url);
      asked.push(`${host} ${request.publicOnly === true ? "public" : "any"}`);
      const { address: _, ...answer } = await known(request);
      return { ...answer, ...(addresses[origin] === undefined ? {} : { address: addresses[origin] }) };
    };
    transport.heedsPublicOnly = true;
    return { asked, transport };
  };
  const foreignLayer = (...urls: string[]): Descriptor => ({
    ...layer,
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    urls,
  });

  test.each([
    ["is fetched from a private address where the registry has one", "10.1.2.3", "10.9.9.9", undefined],
    ["is not where the registry is public", "203.0.113.7", "10.9.9.9", "REDIRECT_REFUSED"],
    ["is not where nobody sees who answers, behind a proxy", undefined, "10.9.9.9", "REDIRECT_REFUSED"],
  ])("a layer's own content %s", async (_, address, store, code) => {
    await using inner = await scriptedServer((__, response) => void response.end(blob));
    await using registry = await basicFirst((__, response) => empty(response, 404));
    const { transport } = watching(
      { "https://registry.example": registry, [`https://${store}`]: inner },
      address === undefined ? {} : { "https://registry.example": address },
    );
    await using client = victim("registry.example", undefined, { transport, foreignLayers: "fetch" });
    const read = readAll(client.repository("registry.example/a").fetch(foreignLayer(`https://${store}/l`)));
    if (code === undefined) expect(Buffer.from(await read).equals(blob)).toBe(true);
    else await expect(read).rejects.toMatchObject({ code });
    expect(inner.requests).toHaveLength(code === undefined ? 1 : 0);
    withoutSecrets(inner);
  });

  test.each([
    ["that is private, at any address", "10.1.2.3", "any"],
    ["that is public, at a public one", "203.0.113.7", "public"],
    ["behind a proxy, at a public one", undefined, "public"],
  ])("a name in the URL of a layer is, of a registry %s", async (_, address, kind) => {
    await using cdn = await scriptedServer((__, response) => void response.end(blob));
    await using registry = await scriptedServer((__, response) => empty(response, 404));
    const { asked, transport } = watching(
      { "https://registry.example": registry, "https://cdn.example": cdn },
      address === undefined ? {} : { "https://registry.example": address },
    );
    await using client = victim("registry.example", undefined, { transport, foreignLayers: "fetch" });
    await readAll(client.repository("registry.example/a").fetch(foreignLayer("https://cdn.example/l")));
    expect(asked).toEqual(["registry.example any", `cdn.example ${kind}`]);
  });

  test("a registry that has answered once from a public address is public, whatever else its name gives", async () => {
    const addresses: Record<string, string> = { "https://registry.example": "10.1.2.3" };
    await using cdn = await scriptedServer((_, response) => void response.end(blob));
    await using registry = await scriptedServer((_, response) => empty(response, 404));
    const { asked, transport } = watching(
      { "https://registry.example": registry, "https://cdn.example": cdn },
      addresses,
    );
    await using client = victim("registry.example", undefined, { transport, foreignLayers: "fetch" });
    const repository = client.repository("registry.example/a");
    for (const address of ["10.1.2.3", "203.0.113.7", "10.1.2.3"]) {
      addresses["https://registry.example"] = address;
      await readAll(repository.fetch(foreignLayer("https://cdn.example/l")));
    }
    expect(asked.filter((line) => line.startsWith("cdn"))).toEqual([
      "cdn.example any",
      "cdn.example public",
      "cdn.example public",
    ]);
  });

  test("a public server to which a private registry leads does not lead back inside", async () => {
    await using inner = await trap();
    await using cdn = await scriptedServer((_, response) =>
      empty(response, 307, { Location: "https://inner.example/x" }),
    );
    await using registry = await scriptedServer((_, response) =>
      empty(response, 307, { Location: "https://cdn.example/x" }),
    );
    const { asked, transport } = watching(
      {
        "https://registry.example": registry,
        "https://cdn.example": cdn,
        "https://inner.example": inner,
      },
      { "https://registry.example": "10.1.2.3", "https://cdn.example": "203.0.113.7" },
    );
    await using client = victim("registry.example", undefined, { transport });
    await expect(readAll(client.repository("registry.example/a").fetch(layer))).rejects.toThrow();
    expect(asked).toEqual(["registry.example any", "cdn.example any", "inner.example public"]);
    withoutSecrets(inner);
  });

  test.each([
    ["that is public", "203.0.113.7", "REDIRECT_REFUSED"],
    ["that has a name and is private", "10.1.2.3", undefined],
  ])("a file of the web leads to a private address only from a server %s", async (_, address, code) => {
    await using inner = await scriptedServer((__, response) => void response.end(blob));
    await using files = await scriptedServer((__, response) =>
      empty(response, 307, { Location: "https://10.9.9.9/f" }),
    );
    const { transport } = watching(
      { "https://files.example": files, "https://10.9.9.9": inner },
      { "https://files.example": address },
    );
    const read = fetchUrl("https://files.example/f", { transport, retry: { retries: 0 } });
    if (code === undefined) expect(Buffer.from(await readAll((await read).body)).equals(blob)).toBe(true);
    else await expect(read).rejects.toMatchObject({ code });
  });

  test("TestBearerTokenNotLeakedOnCrossHostChallenge: a token is not shown to who a redirect leads to, and asks", async () => {
    await using other = await scriptedServer((_, response) =>
      empty(response, 401, { "WWW-Authenticate": 'Bearer realm="/token",service="other"' }),
    );
    await using registry = await scriptedServer((request, response) => {
      if (request.path.startsWith("/token")) json(response, 200, { token: "CANARY-token" });
      else if (request.authorization === undefined) {
        empty(response, 401, { "WWW-Authenticate": 'Bearer realm="/token",service="s"' });
      } else empty(response, 307, { Location: `${other.url}/blob` });
    });
    await using client = victim(registry.host);
    await expect(readAll(client.repository(`${registry.host}/a`).fetch(layer))).rejects.toThrow();
    expect(registry.requests.some(({ authorization }) => authorization?.includes("CANARY") === true)).toBe(
      true,
    );
    expect(other.requests.length).toBeGreaterThan(0);
    withoutSecrets(other);
  });
});

describe("content", () => {
  /** A registry that serves one body for everything. */
  const serving = (body: Buffer | string, headers: Record<string, string> = {}) =>
    scriptedServer((_, response) => {
      response.writeHead(200, { "Content-Length": Buffer.byteLength(body), ...headers });
      response.end(body);
    });

  test("CVE-2021-41190 (GHSA-77vh-xpmg-72qh, GHSA-5j5w-g665-5m35): no document is manifest and index", async () => {
    const both = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: MediaType.ociConfig, digest: layer.digest, size: 1 },
      layers: [],
      manifests: [],
    });
    await using client = registryClient({ credentials: "anonymous" });
    for (const type of [MediaType.ociManifest, MediaType.ociIndex]) {
      await using registry = await serving(both, { "Content-Type": type });
      await expect(client.repository(`${registry.host}/a`).fetchManifest("1")).rejects.toMatchObject({
        code: "MANIFEST_INVALID",
      });
    }
  });

  test.each([
    "sha256:../../../../etc/passwd",
    `sha256:${"A".repeat(64)}`,
    `sha256:${"a".repeat(63)}`,
    `md5:${"a".repeat(32)}`,
    "sha256:",
    "",
    `sha256:${"a".repeat(64)}/../x`,
    `sha256:${"a".repeat(64)}\n`,
  ])("CVE-2024-3727: %j is no digest in a manifest, nor in a reference", (digest) => {
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        config: { mediaType: MediaType.ociConfig, digest, size: 1 },
        layers: [],
      }),
    );
    expect(() => parseManifestDocument(manifest, MediaType.ociManifest)).toThrow();
    expect(() => parseReference(`a.example/b@${digest}`)).toThrow();
  });

  test("GHSA-qv35-3gw6-8q4j (CVE-2025-24882): a pinned digest holds, whatever the headers say", async () => {
    const other = encodeJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] });
    const pinned = digestOf("something else");
    await using registry = await serving(Buffer.from(other), {
      "Content-Type": MediaType.ociIndex,
      "Docker-Content-Digest": pinned,
    });
    await using client = registryClient({ credentials: "anonymous" });
    await expect(client.repository(`${registry.host}/a`).fetchManifest(pinned)).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
  });

  test("algorithm confusion: a sha512 digest is computed as such, a sha256 header beside it counts nothing", async () => {
    const right = digestOf(blob, "sha512");
    await using registry = await serving(blob.fill(0, 0, 1), { "Docker-Content-Digest": digestOf(blob) });
    await using client = registryClient({ credentials: "anonymous" });
    const target = { ...layer, digest: digestOf("x", "sha512") };
    await expect(readAll(client.repository(`${registry.host}/a`).fetch(target))).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
    expect(right).not.toBe(target.digest);
  });

  test.each([2 ** 53 - 1, 32 * 1024 ** 3])(
    "GHSA-f36w-mj3v-6jqv: a descriptor's size of %i takes no memory",
    async (size) => {
      await using registry = await serving(blob);
      await using client = registryClient({ credentials: "anonymous", retry: { retries: 0 } });
      const before = process.memoryUsage.rss();
      const read = readAll(client.repository(`${registry.host}/a`).fetch({ ...layer, size }));
      await expect(read).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
      expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
    },
  );

  test.each([-1, 1.5, 2 ** 53, "1"])("GHSA-f36w-mj3v-6jqv: %j is no size", (size) => {
    const text = JSON.stringify({ schemaVersion: 2, manifests: [{ ...layer, size }] });
    expect(() => parseManifestDocument(Buffer.from(text), MediaType.ociIndex)).toThrow();
  });

  test("Content-Encoding: a blob that was encoded on the way is refused", async () => {
    await using registry = await serving(gzipSync(blob), { "Content-Encoding": "gzip" });
    await using client = registryClient({ credentials: "anonymous" });
    await expect(readAll(client.repository(`${registry.host}/a`).fetch(layer))).rejects.toMatchObject({
      code: "REGISTRY_PROTOCOL",
    });
  });

  test("a JSON of 100,000 levels, and keys of a prototype, are refused or harmless", () => {
    const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    expect(() => parseManifestDocument(Buffer.from(deep), MediaType.ociIndex)).toThrow();
    const keys = `{"schemaVersion":2,"manifests":[],"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`;
    parseManifestDocument(Buffer.from(keys), MediaType.ociIndex);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("tag races: a tag that moves between two questions does not mix two images", async () => {
    const documents = ["one", "two"].map((name) =>
      Buffer.from(
        encodeJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [], annotations: { name } }),
      ),
    );
    let count = 0;
    await using registry = await scriptedServer((request, response) => {
      const wanted = documents.find((it) => request.path.endsWith(digestOf(it)));
      const body = wanted ?? documents[count++ % 2] ?? Buffer.alloc(0);
      response.writeHead(200, {
        "Content-Type": MediaType.ociIndex,
        "Content-Length": body.byteLength,
        "Docker-Content-Digest": digestOf(body),
      });
      response.end(request.method === "HEAD" ? undefined : body);
    });
    await using client = registryClient({ credentials: "anonymous" });
    const repository = client.repository(`${registry.host}/a`);
    const root = await repository.resolve("moving");
    for (let again = 0; again < 3; again += 1) {
      expect(digestOf(await readAll(repository.fetch(root)))).toBe(root.digest);
    }
  });

  test("proxy: a page for people with status 200 is no manifest, no token and no upload", async () => {
    await using page = await serving("<html>Log in to the network</html>", { "Content-Type": "text/html" });
    await using client = registryClient({ credentials: "anonymous", retry: { retries: 0 } });
    const repository = client.repository(`${page.host}/a`);
    await expect(repository.fetchManifest("1")).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
    await expect(readAll(repository.fetch(layer))).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  });
});

describe("ggcr 2296: a body without end is read up to a limit only", () => {
  test("of a manifest", async () => {
    await using registry = await scriptedServer((_, response) => endless(response, MediaType.ociManifest));
    await using client = registryClient({ credentials: "anonymous" });
    await expect(client.repository(`${registry.host}/a`).fetchManifest("1")).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
    });
  });

  test("of a token", async () => {
    await using registry = await scriptedServer((request, response) => {
      if (request.path === "/token") return endless(response);
      empty(response, 401, { "WWW-Authenticate": 'Bearer realm="/token"' });
      return undefined;
    });
    await using client = registryClient({ credentials: "anonymous" });
    await expect(client.repository(`${registry.host}/a`).resolve("1")).rejects.toMatchObject({
      code: "TOKEN_INVALID",
    });
  });

  test("of an error, of a listing and of a blob", async () => {
    await using registry = await scriptedServer((request, response) => {
      if (request.method === "DELETE") response.statusCode = 418;
      return endless(response);
    });
    await using client = registryClient({ credentials: "anonymous", retry: { retries: 0 } });
    const repository = client.repository(`${registry.host}/a`);
    const read = async (): Promise<void> => {
      for await (const _ of repository.tags());
    };
    await expect(read()).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
    await expect(readAll(repository.fetch(layer))).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  });
});

describe("texts", () => {
  test("header injection: a token with a line break is not sent", async () => {
    await using registry = await scriptedServer((request, response) => {
      if (request.path === "/token") json(response, 200, { token: "a\r\nX-Injected: 1" });
      else empty(response, 401, { "WWW-Authenticate": 'Bearer realm="/token"' });
    });
    await using client = registryClient({ credentials: "anonymous", retry: { retries: 0 } });
    await expect(client.repository(`${registry.host}/a`).resolve("1")).rejects.toThrow();
    expect(registry.requests.some(({ headers }) => "x-injected" in headers)).toBe(false);
  });

  test.each(["a\r\nHost: b", "a b", "../../b", "a?x=1", "a#b", "a/b"])(
    "header injection: %j is asked for as no tag",
    async (tag) => {
      await using registry = await trap();
      await using client = victim(registry.host);
      await expect(client.repository(`${registry.host}/a`).resolve(tag)).rejects.toMatchObject({
        code: "NAME_INVALID",
      });
      expect(registry.lines().filter((line) => line.includes("manifests"))).toEqual([]);
    },
  );

  test.each(["../evil", "/bin/sh", "a;b", "$(id)", "-x", ""])(
    "credential helper: %j is started as no program",
    async (credsStore) => {
      const started: string[] = [];
      const find = storedCredentials({
        environment: { DOCKER_CONFIG: "/x" },
        readFile: async (path) => (path.startsWith("/x") ? JSON.stringify({ credsStore }) : undefined),
        runHelper: async (program) => {
          started.push(program);
          return { kind: "not-found" };
        },
      });
      expect(await find({ registry: "a.example", repository: "b" })).toBeUndefined();
      expect(started).toEqual([]);
    },
  );

  test("logs, TestFormatResponseBody_CredentialRedaction: no error, event or warning has a secret, even one that the server sends back", async () => {
    const basic = Buffer.from(`user:${secret}`).toString("base64");
    await using registry = await scriptedServer((request, response) => {
      if (request.authorization === undefined) {
        empty(response, 401, { "WWW-Authenticate": 'Basic realm="x"' });
      } else {
        response.setHeader("Warning", `299 - "told: ${secret} ${basic}"`);
        json(response, 400, {
          errors: [{ code: "DENIED", message: `${secret} ${basic} ${request.authorization}` }],
        });
      }
    });
    const events: RegistryEvent[] = [];
    await using client = victim(registry.host, undefined, { onEvent: (event) => events.push(event) });
    const error = await client
      .repository(`${registry.host}/a`)
      .resolve("1")
      .catch((it: unknown) => it);
    const text = inspect([error, events], { depth: Number.POSITIVE_INFINITY, showHidden: true });
    expect(text).toContain("answered with 400");
    expect(text).toContain("told: ");
    expect(text).not.toContain("CANARY");
    expect(text).not.toContain(basic);
  });

  test("TestRedactFetchBlob: a signed URL that fails is told without its signature", async () => {
    await using storage = await scriptedServer((_, response) => empty(response, 403));
    await using registry = await basicFirst((_, response) =>
      empty(response, 307, { Location: `${storage.url}/blob?X-Amz-Signature=CANARY&sig=CANARY` }),
    );
    const events: RegistryEvent[] = [];
    await using client = victim(registry.host, undefined, { onEvent: (event) => events.push(event) });
    const error = await readAll(client.repository(`${registry.host}/a`).fetch(layer)).catch(
      (it: unknown) => it,
    );
    expect(error).toBeInstanceOf(Error);
    expect(storage.requests.length).toBeGreaterThan(0);
    expect(inspect([error, events], { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(
      "CANARY",
    );
  });

  test("a key that is there twice is refused in a document", () => {
    const text = `{"schemaVersion":2,"manifests":[],"manifests":[${JSON.stringify(layer)}]}`;
    expect(() => parseManifestDocument(Buffer.from(text), MediaType.ociIndex)).toThrow();
  });
});
