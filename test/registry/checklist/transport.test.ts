import { inspect } from "node:util";
import {
  copyImage,
  nodeFetchTransport,
  readAll,
  type MirrorOptions,
  type RegistryClientOptions,
  type Transport,
} from "@undocked/registry";
import { expect } from "vitest";
import { at, jsonReply, refusal, times, withHeaders, type Front, type Reply } from "../../support/front.ts";
import { startProxy } from "../../support/proxy.ts";
import { validateImage } from "../../support/random-image.ts";
import { checklist } from "./checklist.ts";
import { equal, imageOf, pushed, randomBlob } from "./content.ts";
import { basicLogin } from "./credential-watch.ts";
import { login, service } from "./setups.ts";
import { scopesOf, type Site } from "./site.ts";

const blob = randomBlob("transport");
const absent = randomBlob("absent").descriptor;
const blobs = /\/blobs\//;

checklist("transport", (scenario) => {
  scenario("mirrors: 7 down", async (site) => {
    const down = await Promise.all(Array.from({ length: 7 }, () => site.elsewhere()));
    for (const mirror of down) mirror.on(() => "reset");
    const repository = await mirrored(site, down);
    expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
    const before = down.map(({ requests }) => requests.length);
    expect(before.every((count) => count > 0)).toBe(true);
    // What was down a moment ago is left alone.
    expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
    expect(down.map(({ requests }) => requests.length)).toEqual(before);
  });

  scenario("mirrors: order", async (site) => {
    const [first, second, third] = [await site.elsewhere(), await site.elsewhere(), await site.elsewhere()];
    first.on(at("GET", blobs, refusal(404, "BLOB_UNKNOWN")));
    const repository = await mirrored(site, [first, second, third]);
    expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
    expect([first, second, third].map((mirror) => mirror.asked("GET", blobs).length)).toEqual([1, 1, 0]);
    expect(site.front.requests).toEqual([]);
  });

  scenario("mirrors: limit", async (site) => {
    // A mirror has others beside it: it is tried once more, however often the registry would be.
    const busy = await site.elsewhere();
    busy.on(at("GET", blobs, refusal(503, "UNAVAILABLE")));
    const repository = await mirrored(site, [busy], { retry: { retries: 9, baseMs: 1 } });
    expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
    expect(busy.asked("GET", blobs)).toHaveLength(2);
  });

  scenario("mirrors: ns", async (site) => {
    const [lacking, having] = [await site.elsewhere(), await site.elsewhere()];
    lacking.on(at("GET", blobs, refusal(404, "BLOB_UNKNOWN")));
    having.on(times(1, at("GET", blobs, refusal(404, "BLOB_UNKNOWN"))));
    const repository = await mirrored(site, [lacking, having]);
    for (let count = 0; count < 2; count += 1) await readAll(repository.fetch(blob.descriptor));
    const ns = (front: Front): readonly (string | null)[] =>
      front.asked("GET", blobs).map(({ query }) => query.get("ns"));
    expect([ns(lacking), ns(having)]).toEqual([
      [site.host, site.host],
      [site.host, site.host],
    ]);
    expect(new Set(ns(site.front))).toEqual(new Set([null]));
  });

  scenario("http fallback only on loopback", async (site) => {
    const { front, setup } = site;
    const plain: string[] = [];
    const direct = nodeFetchTransport({ environment: {} });
    // The name of another machine, for whom the front stands.
    const transport: Transport = (request) => {
      if (request.url.startsWith("http:")) plain.push(request.url);
      return direct({ ...request, url: request.url.replace("//registry.test/", `//${front.host}/`) });
    };
    front.on(() => refusal(404, "MANIFEST_UNKNOWN"));
    const options = { transport, hosts: {}, retry: { retries: 1, baseMs: 1 } };
    const resolve = async (host: string): Promise<unknown> =>
      await site
        .client(options)
        .repository(`${host}/a`)
        .resolve("v1")
        .catch((error: unknown) => error);
    const code = setup.secure ? "MANIFEST_UNKNOWN" : "REGISTRY_UNREACHABLE";
    expect(await resolve("registry.test")).toMatchObject({ code });
    expect(plain).toEqual([]);
    expect(await resolve(front.host)).toMatchObject({ code: "MANIFEST_UNKNOWN" });
    expect(plain.length > 0).toBe(!setup.secure);
    direct.close?.();
  });

  scenario("TLS failure", async (site) => {
    // A private authority that nobody named, or no TLS where it was said that there is: both are final.
    const { secure } = site.setup;
    const { ca: _, ...untold } = site.options;
    const hosts = { [site.host]: { plainHttp: false } };
    const client = site.client({ ...untold, ...(secure ? { ca: [] } : {}), hosts });
    await expect(site.repository(site.path(), client).exists(absent)).rejects.toMatchObject({
      code: secure ? "REGISTRY_UNTRUSTED" : "REGISTRY_UNREACHABLE",
    });
    expect(site.front.requests).toEqual([]);
    expect(site.events.filter(({ kind }) => kind === "retry")).toEqual([]);
  });

  scenario("proxy", async (site) => {
    const { front, tokens, setup } = site;
    const names: Readonly<Record<string, string>> = {
      "registry.test": front.host,
      "tokens.test": tokens.host,
    };
    using proxy = await startProxy((name) => names[name] ?? "127.0.0.1:1", "PROXY");
    front.on(async (_, pass) => {
      const reply = await pass();
      const { "www-authenticate": challenge } = reply.headers ?? {};
      if (typeof challenge !== "string") return reply;
      return withHeaders(reply, { "www-authenticate": challenge.replace(tokens.host, "tokens.test") });
    });
    const transport = nodeFetchTransport({ environment: { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url } });
    const client = site.client({
      transport,
      hosts: { "registry.test": { plainHttp: !setup.secure } },
      ...(setup.secure ? { credentials: { "registry.test": login } } : {}),
    });
    const { store, root } = await imageOf("proxy");
    const repository = client.repository(`registry.test/${site.path()}`);
    await copyImage(root, store, repository, { tags: ["v1"] });
    await validateImage(await repository.resolve("v1"), repository);
    const seen = new Set(proxy.seen.map((line) => line.split("/v2/", 1)[0]));
    expect(
      [...seen].every((line) =>
        /^(?:CONNECT (?:registry|tokens)\.test:443|\w+ http:\/\/registry\.test)$/.test(line ?? ""),
      ),
    ).toBe(true);
    expect(front.requests.filter(({ headers }) => "proxy-authorization" in headers)).toEqual([]);
    transport.close?.();
  });

  scenario("warnings", async (site) => {
    const text = '299 - "The repository moves, soon", 299 - "Second"';
    site.front.on(async (_, pass) => withHeaders(await pass(), { warning: text }));
    const repository = site.repository();
    for (let count = 0; count < 3; count += 1) await repository.exists(absent);
    const told = site.events.flatMap((event) => (event.kind === "warning" ? [event.message] : []));
    expect(told).toEqual(["The repository moves, soon", "Second"]);
  });

  scenario("rate limit", async (site) => {
    site.front.on(times(2, at("HEAD", blobs, refusal(429, "TOOMANYREQUESTS", { "retry-after": "0" }))));
    site.front.on(async (_, pass) =>
      withHeaders(await pass(), { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "7;w=21600" }),
    );
    expect(await site.repository().exists(absent)).toBe(false);
    expect(site.events.filter(({ kind }) => kind === "retry")).toHaveLength(2);
    expect(site.events.findLast(({ kind }) => kind === "rate-limit")).toEqual({
      kind: "rate-limit",
      host: site.host,
      limit: 100,
      remaining: 7,
      windowSeconds: 21_600,
    });
  });

  for (const status of [408, 500, 502, 504]) {
    scenario(String(status), async (site) => {
      const { store, root } = await imageOf(`transport/${status}`, 1);
      // Of each kind of request the first.
      const failed = new Set<string>();
      site.front.on(({ method, path }) => {
        const kind = `${method} ${/\/(blobs\/uploads|blobs|manifests|tags)\//.exec(path)?.[1]}`;
        if (failed.has(kind)) return undefined;
        failed.add(kind);
        return refusal(status, "UNKNOWN");
      });
      const repository = site.repository();
      await copyImage(root, store, repository, { tags: ["v1"] });
      await validateImage(await repository.resolve("v1"), repository);
      expect([...failed]).toEqual(
        expect.arrayContaining([
          "HEAD blobs",
          "POST blobs/uploads",
          "PUT blobs/uploads",
          "GET blobs",
          "PUT manifests",
        ]),
      );
    });
  }

  scenario("retry limit", async (site) => {
    site.front.on(() => refusal(503, "UNAVAILABLE"));
    const repository = site.repository(site.path(), site.client({ retry: { retries: 3, baseMs: 1 } }));
    await expect(repository.exists(absent)).rejects.toMatchObject({ code: "UNAVAILABLE", status: 503 });
    expect(site.front.requests).toHaveLength(4);
    expect(site.events.flatMap((event) => (event.kind === "retry" ? [event.attempt] : []))).toEqual([
      1, 2, 3,
    ]);
  });

  scenario("requests per second", async (site) => {
    site.front.on(() => refusal(404, "BLOB_UNKNOWN"));
    // One in a thousand seconds: what comes second does not get there while the test runs.
    const path = site.path();
    const repository = site.repository(path, site.client({ requestsPerSecond: 0.001 }));
    const stop = new AbortController();
    const waiting = [1, 2, 3].map(() => repository.exists(absent, { signal: stop.signal }));
    expect(await Promise.race(waiting)).toBe(false);
    // Who is not held back gets there many times over.
    for (let count = 0; count < 5; count += 1) await site.repository().exists(absent);
    stop.abort(new Error("enough"));
    const outcomes = await Promise.allSettled(waiting);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(site.front.asked("HEAD", new RegExp(`/${path}/`))).toHaveLength(1);
  });

  scenario("expired context", async (site) => {
    const repository = site.repository();
    const signal = AbortSignal.abort(new Error("expired"));
    await expect(repository.resolve("v1", { signal })).rejects.toThrow("expired");
    await expect(repository.push(blob.descriptor, blob.content, { signal })).rejects.toThrow("expired");
    await expect(readAll(repository.fetch(blob.descriptor, { signal }))).rejects.toThrow("expired");
    expect(site.front.requests).toEqual([]);
    // And one that ends while the registry is silent.
    site.front.on(() => "silence");
    const stop = new AbortController();
    const asked = repository.exists(absent, { signal: stop.signal });
    const timer = setInterval(() => site.front.requests.length > 0 && stop.abort(new Error("expired")), 1);
    await expect(asked).rejects.toThrow("expired");
    clearInterval(timer);
  });

  scenario("host normalization", async (site) => {
    const urls = new Set<string>();
    const asked = new Set<string>();
    const direct = nodeFetchTransport({ environment: {} });
    const transport: Transport = (request) => {
      urls.add(request.url);
      return direct({ ...request, url: request.url.replace("https://registry-1.docker.io", site.front.url) });
    };
    const credentials: RegistryClientOptions["credentials"] = async ({ registry }) => {
      asked.add(registry);
      return undefined;
    };
    site.front.on(() => refusal(401, "UNAUTHORIZED", { "www-authenticate": "Basic" }));
    const client = site.client({ transport, credentials });
    for (const name of ["alpine", "library/alpine", "docker.io/alpine", "index.docker.io/library/alpine"]) {
      await expect(client.repository(name).resolve("3")).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    }
    expect([...urls]).toEqual(["https://registry-1.docker.io/v2/library/alpine/manifests/3"]);
    expect([...asked]).toEqual(["docker.io"]);
    direct.close?.();
  });

  scenario("redaction", async (site) => {
    const { front, tokens } = site;
    const said: unknown[] = [];
    const fail = async (): Promise<void> => {
      const client = site.client({
        credentials: { [site.host]: login },
        retry: { retries: 1, baseMs: 1 },
      });
      const repository = site.repository(site.path(), client);
      said.push(await repository.resolve("v1").catch((error: unknown) => error));
      said.push(await repository.push(blob.descriptor, blob.content).catch((error: unknown) => error));
    };
    // The registry says aloud what it was told, and so does the token service, whose own address holds a secret.
    const echo = (status: number, text: string): Reply =>
      jsonReply(status, { errors: [{ code: "UNKNOWN", message: text }] });
    front.on((request) => {
      const { authorization } = request;
      if (authorization !== undefined) return echo(500, `You sent ${authorization}`);
      const realm = `${tokens.url}/token?key=HIDDEN`;
      const scope = scopesOf(request).join(" ");
      return refusal(401, "UNAUTHORIZED", {
        "www-authenticate": `Bearer realm="${realm}",service="${service}",scope="${scope}"`,
      });
    });
    tokens.on(({ target }, pass) => pass({ target: target.replace("key=HIDDEN&", "") }));
    await fail();
    const token = front.requests.find(({ authorization }) => authorization !== undefined)?.authorization;
    expect(token).toMatch(/^Bearer ./);
    tokens.clear();
    tokens.on(({ authorization }) => echo(403, `${authorization} ${login.password}`));
    await fail();
    expect(said.map((error) => error instanceof Error)).toEqual([true, true, true, true]);
    const everything = inspect([said, site.events], { depth: Number.POSITIVE_INFINITY, showHidden: true });
    for (const secret of [
      "CANARY",
      "HIDDEN",
      basicLogin.slice("Basic ".length),
      token?.slice("Bearer ".length),
    ]) {
      expect(everything).not.toContain(secret);
    }
  });
});

/** A repository that has the blob at its registry, read through mirrors. */
async function mirrored(site: Site, mirrors: readonly Front[], more: RegistryClientOptions = {}) {
  const path = site.path();
  await pushed(site.repository(path), blob);
  site.front.clear();
  const places: readonly MirrorOptions[] = mirrors.map(({ url }) => ({ url }));
  return site.repository(path, site.client({ ...more, mirrors: { [site.host]: places } }));
}
