import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  contentOf,
  copyImage,
  digestOf,
  encodeJson,
  MediaType,
  memoryStore,
  readAll,
  registryClient,
  replayable,
  type RegistryClientOptions,
} from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { empty, scriptedServer } from "../support/scripted-server.ts";
import { certificateAuthority } from "../support/tls.ts";
import { randomImage, validateImage } from "../support/random-image.ts";

const blob = randomBytes(50_000);
const layer = { mediaType: MediaType.ociLayerGzip, digest: digestOf(blob), size: blob.byteLength };
const content = replayable(() => contentOf(blob));
const asked = (registry: RunningRegistry) =>
  registry.requests.map(({ method, path }) => `${method} ${path.replace(/sha256:\w+/, "D")}`);

let upstream: RunningRegistry;
let mirror: RunningRegistry;
let directory: string;
beforeEach(async () => {
  upstream = await startRegistry({ auth: { type: "basic", users: { user: "UPSTREAM" } } });
  mirror = await startRegistry();
  directory = await mkdtemp(join(tmpdir(), "undocked-mirrors-"));
});
afterEach(async () => {
  await upstream.close();
  await mirror.close();
  await rm(directory, { recursive: true, force: true });
});

const client = (more: RegistryClientOptions) =>
  registryClient({
    credentials: { [upstream.host]: { username: "user", password: "UPSTREAM" } },
    retry: { baseMs: 1 },
    ...more,
  });

/** Puts the same blob or image at both. */
async function fill(registry: RunningRegistry): Promise<void> {
  await using direct = client({});
  await direct.repository(`${registry.host}/a`).push(layer, content);
}

describe("a mirror", () => {
  test("gives what is asked by digest, is told of which registry, and gets no credentials", async () => {
    await fill(mirror);
    await using mirrored = client({ mirrors: { [upstream.host]: [{ url: mirror.url }] } });
    const before = mirror.requests.length;
    const bytes = await readAll(mirrored.repository(`${upstream.host}/a`).fetch(layer));
    expect(Buffer.from(bytes).equals(blob)).toBe(true);
    expect(mirror.requests.slice(before).map(({ path }) => path)).toEqual([
      `/v2/a/blobs/${layer.digest}?ns=${encodeURIComponent(upstream.host)}`,
    ]);
    expect(mirror.requests.every(({ credential }) => credential === "none")).toBe(true);
    expect(upstream.requests).toEqual([]);
  });

  test("that does not have it is passed over, and ns does not reach the registry", async () => {
    await fill(upstream);
    await using mirrored = client({ mirrors: { [upstream.host]: [{ url: mirror.url }] } });
    const bytes = await readAll(mirrored.repository(`${upstream.host}/a`).fetch(layer));
    expect(Buffer.from(bytes).equals(blob)).toBe(true);
    expect(asked(mirror).at(-1)).toContain("?ns=");
    expect(upstream.requests.every(({ path }) => !path.includes("ns="))).toBe(true);
  });

  test("that challenges for credentials gets none of the registry's", async () => {
    const seen: (string | undefined)[] = [];
    await using hostile = await scriptedServer((request, response) => {
      seen.push(request.authorization);
      empty(response, 401, { "WWW-Authenticate": 'Basic realm="x"' });
    });
    await fill(upstream);
    await using mirrored = client({ mirrors: { [upstream.host]: [{ url: hostile.url }] } });
    await readAll(mirrored.repository(`${upstream.host}/a`).fetch(layer));
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every((header) => header === undefined)).toBe(true);
  });

  test("never gets a push, a tag, nor a question whether something is there", async () => {
    await using mirrored = client({ mirrors: { [upstream.host]: [{ url: mirror.url, tags: "resolve" }] } });
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, mirrored.repository(`${upstream.host}/a`));
    await mirrored.repository(`${upstream.host}/a`).tag(root, "v1");
    expect(mirror.requests).toEqual([]);
  });

  test.each(["resolve", "never"] as const)("is asked what a tag stands for: %s", async (tags) => {
    const from = memoryStore();
    const [old, current] = [await randomImage(from, 1), await randomImage(from, 2)];
    await using direct = client({});
    await copyImage(old, from, direct.repository(`${mirror.host}/a`), { tags: ["v1"] });
    await copyImage(current, from, direct.repository(`${upstream.host}/a`), { tags: ["v1"] });
    await using mirrored = client({ mirrors: { [upstream.host]: [{ url: mirror.url, tags }] } });
    const found = await mirrored.repository(`${upstream.host}/a`).resolve("v1");
    expect(found.digest).toBe(tags === "resolve" ? old.digest : current.digest);
  });

  test("that is down is told once and left alone", async () => {
    await fill(upstream);
    const warnings: string[] = [];
    let tries = 0;
    await using dead = await scriptedServer((_, response) => {
      tries += 1;
      response.destroy();
    });
    await using mirrored = client({
      mirrors: { [upstream.host]: [{ url: dead.url }] },
      onEvent: (event) => event.kind === "warning" && warnings.push(`${event.message} ${event.code}`),
    });
    const repository = mirrored.repository(`${upstream.host}/a`);
    for (let count = 0; count < 3; count += 1) await readAll(repository.fetch(layer));
    expect(tries).toBe(2);
    expect(warnings).toEqual([
      `The mirror ${dead.host} is passed over (REGISTRY_UNREACHABLE). MIRROR_PASSED_OVER`,
    ]);
  });

  test("that stops in the middle is gone on from at the next place", async () => {
    await fill(mirror);
    await fill(upstream);
    mirror.inject({ kind: "cut", after: 20_000, method: "GET", times: 1 });
    mirror.inject({
      kind: "status",
      status: 500,
      when: ({ path }) => mirror.requests.length > 3 && path !== "",
    });
    await using mirrored = client({ mirrors: { [upstream.host]: [{ url: mirror.url }] } });
    const bytes = await readAll(mirrored.repository(`${upstream.host}/a`).fetch(layer));
    expect(Buffer.from(bytes).equals(blob)).toBe(true);
    expect(upstream.requests.at(-1)?.bytesSent).toBe(30_000);
  });

  test.each([
    ["a page for people", (body: (bytes: string) => void) => body("<html>welcome</html>")],
    ["another manifest", (body: (bytes: string) => void) => body('{"schemaVersion":2,"manifests":[]}')],
  ])("that gives %s is passed over", async (_, answer) => {
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await using direct = client({});
    await copyImage(root, from, direct.repository(`${upstream.host}/a`));
    await using odd = await scriptedServer((__, response) => answer((bytes) => void response.end(bytes)));
    await using mirrored = client({ mirrors: { [upstream.host]: [{ url: odd.url }] } });
    await validateImage(root, mirrored.repository(`${upstream.host}/a`));
  });

  describe.each([
    ["small", 50_000],
    ["of several MiB", 3 * 1024 * 1024],
  ])("with a blob that is %s", (_, size) => {
    const right = randomBytes(size);
    const wrong = Buffer.from(right).fill(0, size / 2, size / 2 + 1000);
    const target = { ...layer, digest: digestOf(right), size };
    /** Gives bytes for any blob, from where it is asked to. */
    const giving = (bytes: Buffer, cutAt = bytes.byteLength) =>
      scriptedServer((request, response) => {
        const begin = Number(/\d+/.exec(request.headers.range ?? "0"));
        const headers = { "Content-Range": `bytes ${begin}-${size - 1}/${size}` };
        response.writeHead(begin === 0 ? 200 : 206, { ...headers, "Content-Length": size - begin });
        if (begin >= cutAt) response.destroy();
        else response.write(bytes.subarray(begin, cutAt), () => cutAt < size && response.destroy());
      });
    const told: string[] = [];
    const readFrom = (mirrors: readonly { readonly url: string }[]) =>
      client({
        mirrors: { [upstream.host]: mirrors.map(({ url }) => ({ url })) },
        onEvent: (event) => event.kind === "warning" && told.push(event.message),
      });
    beforeEach(async () => {
      told.length = 0;
      await using direct = client({});
      await direct.repository(`${upstream.host}/a`).push(
        target,
        replayable(() => contentOf(right)),
      );
    });

    test("wrong bytes are nobody's: the next mirror is asked", async () => {
      await using liar = await giving(wrong);
      await using honest = await giving(right);
      await using mirrored = readFrom([liar, honest]);
      const before = upstream.requests.length;
      const bytes = await readAll(mirrored.repository(`${upstream.host}/a`).fetch(target));
      expect(Buffer.from(bytes).equals(right)).toBe(true);
      expect([liar.requests.length, honest.requests.length]).toEqual([1, 1]);
      expect(upstream.requests.length).toBe(before);
      expect(told).toEqual([`The mirror ${liar.host} is passed over (DIGEST_MISMATCH).`]);
    });

    test("wrong bytes of all mirrors are nobody's: the registry is asked, and they are left alone", async () => {
      await using one = await giving(wrong);
      await using two = await giving(wrong);
      await using mirrored = readFrom([one, two]);
      for (let count = 0; count < 2; count += 1) {
        const bytes = await readAll(mirrored.repository(`${upstream.host}/a`).fetch(target));
        expect(Buffer.from(bytes).equals(right)).toBe(true);
      }
      expect([one.requests.length, two.requests.length]).toEqual([1, 1]);
    });

    test("wrong bytes before a cut do not spoil what comes from elsewhere", async () => {
      await using liar = await giving(wrong, size * 0.75);
      await using mirrored = readFrom([liar]);
      const bytes = await readAll(mirrored.repository(`${upstream.host}/a`).fetch(target));
      expect(Buffer.from(bytes).equals(right)).toBe(true);
    });

    test("wrong bytes of the only place that may be asked are an error, and nobody's", async () => {
      await using liar = await giving(wrong);
      const path = join(directory, "registries.conf");
      await writeFile(path, `[[registry]]\nprefix = "docker.example"\nlocation = "${liar.host}"`);
      await using mirrored = client({
        registriesFiles: [path],
        hosts: { [liar.host]: { plainHttp: true } },
      });
      let delivered = 0;
      const reading = async (): Promise<void> => {
        for await (const chunk of mirrored.repository("docker.example/a").fetch(target))
          delivered += chunk.byteLength;
      };
      await expect(reading()).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
      expect(delivered).toBe(0);
    });
  });
});

describe("a certs.d folder", () => {
  const put = async (host: string, name: string, text: string): Promise<void> => {
    await mkdir(join(directory, host), { recursive: true });
    await writeFile(join(directory, host, name), text);
  };

  test("names containerd's mirrors, in order, with headers of their own", async () => {
    const headers: unknown[] = [];
    await using first = await scriptedServer((request, response) => {
      headers.push(request.headers["x-mirror"]);
      empty(response, 404);
    });
    await fill(mirror);
    const before = mirror.requests.length;
    const text = [
      `server = "http://${upstream.host}"`,
      `[host."${first.url}/sub"]`,
      '  capabilities = ["pull"]',
      `  [host."${first.url}/sub".header]`,
      '    x-mirror = ["one", "two"]',
      `[host."${mirror.url}"]`,
    ];
    await put(upstream.host, "hosts.toml", text.join("\n"));
    await using mirrored = client({ hostDirectories: [directory] });
    await readAll(mirrored.repository(`${upstream.host}/a`).fetch(layer));
    expect(first.lines()).toEqual([`GET /sub/v2/a/blobs/${layer.digest}`]);
    expect(headers).toEqual(["one, two"]);
    expect(mirror.requests.length).toBe(before + 1);
    expect(upstream.requests).toEqual([]);
  });

  test("is not read unless it is named", async () => {
    await fill(upstream);
    await put(upstream.host, "hosts.toml", `[host."${mirror.url}"]`);
    await using plain = client({});
    await readAll(plain.repository(`${upstream.host}/a`).fetch(layer));
    expect(mirror.requests).toEqual([]);
  });

  test("gives docker's authority and client certificate, without which the registry is closed", async () => {
    const authority = certificateAuthority();
    const own = authority.issue("client");
    const server = { ...authority.issue("127.0.0.1"), ca: authority.cert, requestCert: true };
    await using closed = await scriptedServer((_, response) => empty(response, 200), server);
    await put(closed.host, "ca.crt", authority.cert);
    await using without = client({ hostDirectories: [directory], retry: { retries: 0 } });
    await expect(without.repository(`${closed.host}/a`).exists(layer)).rejects.toMatchObject({
      name: "RegistryError",
    });
    await put(closed.host, "client.cert", own.cert);
    await put(closed.host, "client.key", own.key);
    await using withOne = client({ hostDirectories: [directory] });
    expect(await withOne.repository(`${closed.host}/a`).exists(layer)).toBe(true);
    await using given = client({ ca: authority.cert, hosts: { [closed.host]: own } });
    expect(await given.repository(`${closed.host}/a`).exists(layer)).toBe(true);
  });

  test("may have several client certificates, of which the one that the registry takes is used", async () => {
    const [theirs, others] = [certificateAuthority("theirs"), certificateAuthority("others")];
    const server = { ...theirs.issue("127.0.0.1"), ca: theirs.cert, requestCert: true };
    await using closed = await scriptedServer((_, response) => empty(response, 200), server);
    await put(closed.host, "ca.crt", theirs.cert);
    for (const [name, authority] of Object.entries({ a: others, b: theirs, c: others })) {
      const own = authority.issue("client");
      await put(closed.host, `${name}.cert`, own.cert);
      await put(closed.host, `${name}.key`, own.key);
    }
    await using docker = client({ hostDirectories: [directory], retry: { retries: 0 } });
    expect(await docker.repository(`${closed.host}/a`).exists(layer)).toBe(true);

    const pairs = ["a", "b", "c"].map((name) => `["${name}.cert", "${name}.key"]`).join(", ");
    const hosts = `server = "${closed.url}"\nca = "ca.crt"\nclient = [${pairs}]`;
    await put(closed.host, "hosts.toml", hosts);
    await using containerd = client({ hostDirectories: [directory], retry: { retries: 0 } });
    expect(await containerd.repository(`${closed.host}/a`).exists(layer)).toBe(true);
  });

  test.each(["only.cert", "only.key"])("with %s, which has no partner, is an error", async (name) => {
    await put(
      upstream.host,
      name,
      certificateAuthority().issue("client")[name === "only.key" ? "key" : "cert"],
    );
    await using broken = client({ hostDirectories: [directory] });
    await expect(broken.repository(`${upstream.host}/a`).resolve("v1")).rejects.toMatchObject({
      code: "HOST_CONFIG_INVALID",
      message: expect.stringContaining(name === "only.key" ? "only.cert" : "only.key"),
    });
  });

  test("limits the time to connect by dial_timeout, of a mirror and of the registry", async () => {
    const limits = new Map<string, number | undefined>();
    const text = [
      'server = "https://registry.example"',
      'dial_timeout = "1m1.5s"',
      '[host."https://mirror.example"]',
      'dial_timeout = "250ms"',
    ];
    await put("registry.example", "hosts.toml", text.join("\n"));
    await using limited = client({
      hostDirectories: [directory],
      transport: async ({ url, connectTimeoutMs }) => {
        limits.set(new URL(url).host, connectTimeoutMs);
        return {
          status: 404,
          headers: { get: () => null },
          body: contentOf(Buffer.from("")),
          cancel: () => undefined,
        };
      },
    });
    await limited
      .repository("registry.example/a")
      .resolve("v1")
      .catch(() => undefined);
    expect(Object.fromEntries(limits)).toEqual({ "mirror.example": 250, "registry.example": 61_500 });
  });

  test("says what the registry itself is asked for: to write is not to read", async () => {
    await fill(upstream);
    await put(upstream.host, "hosts.toml", `server = "${upstream.url}"\ncapabilities = ["pull", "resolve"]`);
    await using reader = client({ hostDirectories: [directory] });
    const repository = reader.repository(`${upstream.host}/a`);
    await readAll(repository.fetch(layer));
    const before = upstream.requests.length;
    await expect(repository.push({ ...layer, digest: digestOf("other") }, content)).rejects.toMatchObject({
      code: "DENIED",
    });
    await expect(repository.delete(layer)).rejects.toMatchObject({ code: "DENIED" });
    expect(upstream.requests.length).toBe(before);
  });

  test("says what a mirror is asked for: who refers to an image only with `referrers`", async () => {
    const from = memoryStore();
    const subject = await randomImage(from, 1);
    const signature = await from.ingest(
      MediaType.ociManifest,
      contentOf(
        encodeJson({
          schemaVersion: 2,
          mediaType: MediaType.ociManifest,
          artifactType: "application/x",
          config: await from.ingest(MediaType.ociEmpty, contentOf(Buffer.from("{}"))),
          layers: [],
          subject,
        }),
      ),
    );
    await using direct = client({});
    await copyImage(subject, from, direct.repository(`${upstream.host}/a`));
    await copyImage(signature, from, direct.repository(`${upstream.host}/a`));
    await copyImage(subject, from, direct.repository(`${mirror.host}/a`));
    const found = async (capabilities: string): Promise<readonly string[]> => {
      await put(upstream.host, "hosts.toml", `[host."${mirror.url}"]\ncapabilities = [${capabilities}]`);
      await using mirrored = client({ hostDirectories: [directory] });
      const digests: string[] = [];
      for await (const { digest } of mirrored.repository(`${upstream.host}/a`).referrers(subject.digest))
        digests.push(digest);
      return digests;
    };
    const since = (registry: RunningRegistry, before: number) =>
      registry.requests.slice(before).filter(({ path }) => path.includes("/referrers/"));
    const before = mirror.requests.length;
    expect(await found('"pull", "resolve"')).toEqual([signature.digest]);
    expect(since(mirror, before)).toEqual([]);
    // One that knows none proves nothing.
    expect(await found('"pull", "referrers"')).toEqual([signature.digest]);
    expect(since(mirror, before).map(({ path }) => path.split("?")[1])).toEqual([
      `ns=${encodeURIComponent(upstream.host)}`,
    ]);
    await copyImage(signature, from, direct.repository(`${mirror.host}/a`));
    const asked = upstream.requests.length;
    expect(await found('"referrers"')).toEqual([signature.digest]);
    expect(since(upstream, asked)).toEqual([]);
  });

  test.each([
    ["that is not TOML", "server = "],
    ["with a limit that is no duration", '[host."https://a"]\ndial_timeout = "soon"'],
    ["with a limit of nothing", '[host."https://a"]\ndial_timeout = "0s"'],
    ["with an unknown capability", '[host."https://a"]\ncapabilities = ["fly"]'],
    ["with a server that is no URL", 'server = "https://user:SECRET@a"'],
    ["with an authority that is not there", `[host."https://a"]\nca = "none.pem"`],
  ])("with a hosts.toml %s is an error that tells nothing secret", async (_, text) => {
    await put(upstream.host, "hosts.toml", text);
    await using broken = client({ hostDirectories: [directory] });
    const error = await broken
      .repository(`${upstream.host}/a`)
      .resolve("v1")
      .catch((it: unknown) => it);
    expect(error).toMatchObject({ code: "HOST_CONFIG_INVALID" });
    expect(String(error)).not.toContain("SECRET");
  });
});

describe("a registries.conf", () => {
  const conf = async (...lines: readonly string[]): Promise<RegistryClientOptions> => {
    const path = join(directory, "registries.conf");
    await writeFile(path, lines.join("\n"));
    return { registriesFiles: [path] };
  };

  test("names a mirror for a prefix, and the longest prefix counts", async () => {
    await using direct = client({});
    await direct.repository(`${mirror.host}/copy/deep/x`).push(layer, content);
    const before = mirror.requests.length;
    const options = await conf(
      "[[registry]]",
      `prefix = "${upstream.host}"`,
      "blocked = true",
      "[[registry]]",
      `prefix = "${upstream.host}/team"`,
      "[[registry.mirror]]",
      `location = "${mirror.host}/copy"`,
    );
    await using mirrored = client({ ...options, hosts: { [mirror.host]: { plainHttp: true } } });
    await readAll(mirrored.repository(`${upstream.host}/team/deep/x`).fetch(layer));
    expect(mirror.requests.slice(before).map(({ path }) => path.split("/blobs", 1)[0])).toEqual([
      "/v2/copy/deep/x",
    ]);
    await expect(mirrored.repository(`${upstream.host}/other`).resolve("1")).rejects.toMatchObject({
      code: "DENIED",
    });
    await expect(mirrored.repository(`${upstream.host}/other`).push(layer, content)).rejects.toMatchObject({
      code: "DENIED",
    });
    expect(upstream.requests).toEqual([]);
  });

  test("puts another location in a registry's stead, which is then not asked", async () => {
    await fill(mirror);
    const options = await conf("[[registry]]", 'prefix = "*.example"', `location = "${mirror.host}"`);
    await using mirrored = client({ ...options, hosts: { [mirror.host]: { plainHttp: true } } });
    await readAll(mirrored.repository("docker.example/a").fetch(layer));
    const none = { ...layer, digest: digestOf("none") };
    await expect(readAll(mirrored.repository("docker.example/a").fetch(none))).rejects.toMatchObject({
      code: "BLOB_UNKNOWN",
    });
  });

  test("that is named and not there is an error", async () => {
    await using missing = client({ registriesFiles: [join(directory, "none.conf")] });
    await expect(missing.repository("a.example/b").resolve("1")).rejects.toMatchObject({
      code: "HOST_CONFIG_INVALID",
    });
  });
});
