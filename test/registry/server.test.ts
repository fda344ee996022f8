import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, createServer } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { copyImage, memoryStore, ociLayout, registryClient } from "@undocked/registry";
import { memoryStorage, registryServer, startRegistry, type Fault } from "@undocked/registry/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { randomBytes, randomImage, randomIndex, validateImage } from "../support/random-image.ts";
import { certificateAuthority } from "../support/tls.ts";
import { lacks } from "../support/tools.ts";

const run = promisify(execFile);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-server-"));
});
afterEach(() => rm(directory, { recursive: true }));

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const hash = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const hello = text("hello");

async function pushBlob(url: string, repository: string, bytes: Uint8Array, headers = {}): Promise<Response> {
  return fetch(`${url}/v2/${repository}/blobs/uploads/?digest=${hash(bytes)}`, {
    method: "POST",
    body: bytes,
    headers,
  });
}
const getBlob = (url: string, repository: string, bytes: Uint8Array, headers = {}): Promise<Response> =>
  fetch(`${url}/v2/${repository}/blobs/${hash(bytes)}`, { headers, redirect: "manual" });

describe("a registry", () => {
  test("is there in one line and gone at the end of its block", async () => {
    let url: string;
    {
      await using registry = await startRegistry();
      ({ url } = registry);
      expect(registry.url).toBe(`http://127.0.0.1:${registry.port}`);
      expect(registry.host).toBe(`127.0.0.1:${registry.port}`);
      expect((await fetch(`${url}/v2/`)).status).toBe(200);
    }
    await expect(fetch(`${url}/v2/`)).rejects.toThrow();
  });

  test("serves behind an HTTP server of one's own", async () => {
    const registry = await registryServer();
    const server = createServer((request, response) => void registry.handle(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect((await pushBlob(url, "a", hello)).status).toBe(201);
    expect(await (await getBlob(url, "a", hello)).text()).toBe("hello");
    server.close();
    server.closeAllConnections();
  });

  test("tells what was asked, and with which kind of credential, but not the secret", async () => {
    await using registry = await startRegistry();
    await pushBlob(registry.url, "a", hello, { authorization: "Basic c2VjcmV0OnNlY3JldA==" });
    await getBlob(registry.url, "a", hello, { authorization: "Bearer secret" });
    await getBlob(registry.url, "b", hello);
    expect(registry.requests).toMatchObject([
      { method: "POST", status: 201, credential: "basic", bytesReceived: 5 },
      { method: "GET", path: `/v2/a/blobs/${hash(hello)}`, status: 200, credential: "bearer", bytesSent: 5 },
      { method: "GET", status: 404, credential: "none" },
    ]);
    expect(JSON.stringify(registry.requests)).not.toMatch(/secret|c2Vj/);
  });

  test("on a directory has everything after it was started again", async () => {
    const from = memoryStore();
    const root = await randomIndex(from, 1);
    const client = registryClient({ credentials: "anonymous" });
    {
      await using registry = await startRegistry({ storage: directory });
      await copyImage(root, from, client.repository(`${registry.host}/a/b`), { tags: ["v1"] });
    }
    await using registry = await startRegistry({ storage: directory });
    const repository = client.repository(`${registry.host}/a/b`);
    expect((await repository.resolve("v1")).digest).toBe(root.digest);
    await validateImage(root, repository);
    expect(await readdir(join(directory, "drafts"))).toEqual([]);
  });

  test("on a directory keeps nothing of uploads that were refused, cancelled or under way at its end", async () => {
    const registry = await startRegistry({ storage: directory });
    await fetch(`${registry.url}/v2/a/blobs/uploads/?digest=${hash(text("else"))}`, {
      method: "POST",
      body: hello,
    });
    const begin = async (): Promise<string> => {
      const { headers } = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" });
      return new URL(headers.get("location") ?? "", registry.url).href;
    };
    const cancelled = await begin();
    await fetch(cancelled, { method: "PATCH", body: hello });
    await fetch(cancelled, { method: "DELETE" });
    await fetch(await begin(), { method: "PATCH", body: hello });
    expect(registry.openUploads()).toBe(1);
    await registry.close();
    expect(await readdir(join(directory, "drafts"))).toEqual([]);
  });

  test("takes an upload on from where the connection broke", async () => {
    await using registry = await startRegistry({ storage: directory });
    const bytes = randomBytes(1, 300_000);
    const begun = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" });
    const { href } = new URL(begun.headers.get("location") ?? "", registry.url);
    const broken = httpRequest(href, {
      method: "PATCH",
      headers: { "content-length": bytes.byteLength },
    });
    broken.on("error", () => {});
    broken.write(bytes.subarray(0, 100_000));
    const received = async (): Promise<string | null> => (await fetch(href)).headers.get("range");
    await expect.poll(received, { timeout: 30_000 }).toBe("0-99999");
    broken.destroy();
    const start = 100_000;
    const headers = { "content-range": `${start}-${bytes.byteLength - 1}` };
    const rest = await fetch(`${href}?digest=${hash(bytes)}`, {
      method: "PUT",
      body: bytes.subarray(start),
      headers,
    });
    expect(rest.status).toBe(201);
    const back = new Uint8Array(await (await getBlob(registry.url, "a", bytes)).arrayBuffer());
    expect(Buffer.compare(back, bytes)).toBe(0);
  });

  test("takes the same blob from many at once, and different ones", async () => {
    await using registry = await startRegistry({ storage: directory });
    const blobs = Array.from({ length: 32 }, (_, n) => randomBytes(n % 8, 100_000));
    const answers = await Promise.all(blobs.map((bytes) => pushBlob(registry.url, "a", bytes)));
    expect(answers.map(({ status }) => status)).toEqual(blobs.map(() => 201));
    for (const bytes of blobs.slice(0, 8)) {
      expect(hash(new Uint8Array(await (await getBlob(registry.url, "a", bytes)).arrayBuffer()))).toBe(
        hash(bytes),
      );
    }
    expect(registry.openUploads()).toBe(0);
  });

  test("speaks TLS", async () => {
    const authority = certificateAuthority();
    await using registry = await startRegistry({ tls: authority.issue("127.0.0.1") });
    expect(registry.url).toMatch(/^https:/);
    const agent = new Agent({ ca: authority.cert });
    const status = await new Promise((resolve, reject) => {
      httpsRequest(`${registry.url}/v2/`, { agent }, (response) => resolve(response.statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(200);
    await using client = registryClient({ credentials: "anonymous", ca: authority.cert });
    const from = memoryStore();
    const root = await randomImage(from, 1);
    const repository = client.repository(`${registry.host}/a`);
    await copyImage(root, from, repository, { tags: ["v1"] });
    await validateImage(root, repository);
  });

  test("does not shrug at an option that it does not have", async () => {
    const options: object = { prot: 5000 };
    await expect(startRegistry(options)).rejects.toThrow("prot is not an option of a registry.");
  });

  test("says that a port is taken", async () => {
    await using registry = await startRegistry();
    await expect(startRegistry({ port: registry.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

describe("with Basic credentials", () => {
  const auth = { type: "basic", users: { ann: "pass:word" } } as const;
  const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString("base64")}` });

  test.each([
    ["none", {}, 401],
    ["the right ones", basic("ann:pass:word"), 201],
    ["a wrong password", basic("ann:password"), 401],
    ["an unknown name", basic("bob:pass:word"), 401],
    ["the name of a property", basic("constructor:x"), 401],
    ["no colon", basic("ann"), 401],
    ["another scheme", { authorization: "Bearer ann" }, 401],
  ])("%s: %#", async (_, headers, status) => {
    await using registry = await startRegistry({ auth });
    const response = await pushBlob(registry.url, "a", hello, headers);
    expect(response.status).toBe(status);
    expect(response.headers.get("www-authenticate")).toBe(status === 401 ? 'Basic realm="registry"' : null);
  });
});

describe("with Bearer tokens", () => {
  const auth = { type: "bearer", users: { ann: "secret" }, anonymous: "pull" } as const;
  const ann = { authorization: `Basic ${Buffer.from("ann:secret").toString("base64")}` };
  const tokenOf = async (response: Response): Promise<string> =>
    ((await response.json()) as { token: string }).token;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test("a request without one is told where to get one, and for what", async () => {
    await using registry = await startRegistry({ auth });
    const response = await pushBlob(registry.url, "team/app", hello);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer realm="${registry.url}/token",service="${registry.host}",scope="repository:team/app:pull,push"`,
    );
    expect(((await response.json()) as { errors: { code: string }[] }).errors[0]?.code).toBe("UNAUTHORIZED");
  });

  test("one is good for what it was asked for, and nothing else", async () => {
    await using registry = await startRegistry({ auth });
    const scope = "scope=repository:a:pull,push&scope=repository:b:pull";
    const token = await tokenOf(await fetch(`${registry.url}/token?${scope}`, { headers: ann }));
    expect((await pushBlob(registry.url, "a", hello, bearer(token))).status).toBe(201);
    const refused = await pushBlob(registry.url, "b", hello, bearer(token));
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
    expect((await getBlob(registry.url, "b", hello, bearer(token))).status).toBe(404);
    const path = `/v2/a/blobs/${hash(hello)}`;
    expect((await fetch(registry.url + path, { method: "DELETE", headers: bearer(token) })).status).toBe(401);
  });

  test("nobody gets one to push", async () => {
    await using registry = await startRegistry({ auth });
    const token = await tokenOf(await fetch(`${registry.url}/token?scope=repository:a:pull,push`));
    expect((await getBlob(registry.url, "a", hello, bearer(token))).status).toBe(404);
    expect((await pushBlob(registry.url, "a", hello, bearer(token))).status).toBe(401);
  });

  test("a mount needs the right to pull from the other repository", async () => {
    await using registry = await startRegistry({ auth });
    const path = `/v2/a/blobs/uploads/?mount=${hash(hello)}&from=b`;
    const token = await tokenOf(
      await fetch(`${registry.url}/token?scope=repository:a:pull,push`, { headers: ann }),
    );
    const refused = await fetch(registry.url + path, { method: "POST", headers: bearer(token) });
    expect(refused.headers.get("www-authenticate")).toContain(
      'scope="repository:a:pull,push repository:b:pull"',
    );
  });

  test("wrong credentials get none", async () => {
    await using registry = await startRegistry({ auth });
    const headers = { authorization: `Basic ${Buffer.from("ann:wrong").toString("base64")}` };
    expect((await fetch(`${registry.url}/token?scope=repository:a:pull`, { headers })).status).toBe(401);
  });

  test("one that has expired, or is made up, is no good", async () => {
    await using registry = await startRegistry({ auth: { ...auth, expiresIn: 0 } });
    const token = await tokenOf(await fetch(`${registry.url}/token?scope=repository:a:pull`));
    for (const each of [token, "made-up"]) {
      const response = await getBlob(registry.url, "a", hello, bearer(each));
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain('error="invalid_token"');
    }
  });

  test("OAuth2 gives them too, and refreshes", async () => {
    await using registry = await startRegistry({ auth });
    const form = (fields: Record<string, string>): Promise<Response> =>
      fetch(`${registry.url}/token`, { method: "POST", body: new URLSearchParams(fields) });
    const scope = "repository:a:pull,push";
    const first = await form({
      grant_type: "password",
      username: "ann",
      password: "secret",
      scope,
      access_type: "offline",
    });
    const { refresh_token } = (await first.json()) as { refresh_token: string };
    const second = await form({ grant_type: "refresh_token", refresh_token, scope });
    const token = ((await second.json()) as { access_token: string }).access_token;
    expect((await pushBlob(registry.url, "a", hello, bearer(token))).status).toBe(201);
    expect((await form({ grant_type: "refresh_token", refresh_token: "made-up", scope })).status).toBe(401);
    expect((await form({ grant_type: "password", username: "ann", password: "x", scope })).status).toBe(401);
  });

  test("the client gets in and brings an image", async () => {
    await using registry = await startRegistry({ auth });
    const credentials = { [registry.host]: { username: "ann", password: "secret" } };
    await using client = registryClient({ credentials });
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, client.repository(`${registry.host}/a`), { tags: ["v1"] });
    await using anonymous = registryClient({ credentials: "anonymous" });
    await validateImage(root, anonymous.repository(`${registry.host}/a`));
  });
});

describe("faults", () => {
  const withBlob = async (...faults: Fault[]) => {
    const registry = await startRegistry();
    await pushBlob(registry.url, "a", hello);
    registry.inject(...faults);
    return registry;
  };

  test("are over when they have happened often enough, or are taken back", async () => {
    await using registry = await withBlob({ kind: "status", status: 503, times: 2 });
    const statuses = async (count: number): Promise<number[]> => {
      const all: number[] = [];
      for (let n = 0; n < count; n++) all.push((await getBlob(registry.url, "a", hello)).status);
      return all;
    };
    expect(await statuses(3)).toEqual([503, 503, 200]);
    const end = registry.inject({ kind: "status", status: 500, times: 5 });
    expect(await statuses(2)).toEqual([500, 500]);
    end();
    expect(await statuses(1)).toEqual([200]);
  });

  test("befall the requests that they are for", async () => {
    await using registry = await withBlob(
      { kind: "status", status: 418, method: "DELETE" },
      {
        kind: "status",
        status: 417,
        path: /\/blobs\/sha256:/,
        when: ({ credential }) => credential === "bearer",
      },
    );
    expect((await getBlob(registry.url, "a", hello)).status).toBe(200);
    expect((await getBlob(registry.url, "a", hello, { authorization: "Bearer x" })).status).toBe(417);
    expect((await fetch(`${registry.url}/v2/`, { method: "DELETE" })).status).toBe(418);
  });

  test("429 says when to come again", async () => {
    await using registry = await withBlob({ kind: "status", status: 429, retryAfter: "7" });
    const response = await getBlob(registry.url, "a", hello);
    expect(response.headers.get("retry-after")).toBe("7");
    expect(await response.json()).toMatchObject({ errors: [{ code: "TOOMANYREQUESTS" }] });
  });

  test("an answer is cut off after exactly so many bytes", async () => {
    await using registry = await withBlob({ kind: "cut", after: 3 });
    const { received, error } = await new Promise<{ received: string; error?: Error }>((resolve) => {
      let received = "";
      httpRequest(`${registry.url}/v2/a/blobs/${hash(hello)}`, (response) => {
        response.on("data", (chunk: Buffer) => (received += chunk.toString()));
        response.on("error", (error) => resolve({ received, error }));
        response.on("end", () => resolve({ received }));
      }).end();
    });
    expect(received).toBe("hel");
    expect(error).toBeDefined();
    expect(registry.requests.at(-1)).toMatchObject({ bytesSent: 3 });
    expect(registry.requests.at(-1)).not.toHaveProperty("error");
  });

  test("an answer does not come at all", async () => {
    await using registry = await withBlob({ kind: "cut", after: "nothing", times: 1 });
    await expect(getBlob(registry.url, "a", hello)).rejects.toThrow();
    expect(registry.requests.at(-1)).toMatchObject({ status: 0, bytesSent: 0 });
    expect((await getBlob(registry.url, "a", hello)).status).toBe(200);
  });

  test("an upload is cut off, and what came stays", async () => {
    await using registry = await withBlob({ kind: "cut-upload", method: "PATCH", after: 3, times: 1 });
    const begun = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" });
    const location = new URL(begun.headers.get("location") ?? "", registry.url);
    await expect(fetch(location, { method: "PATCH", body: hello })).rejects.toThrow();
    expect((await fetch(location)).headers.get("range")).toBe("0-2");
  });

  test("bytes are wrong while everything else is right", async () => {
    await using registry = await withBlob({ kind: "corrupt" });
    const response = await getBlob(registry.url, "a", hello);
    expect(response.headers.get("content-length")).toBe("5");
    expect(await response.text()).toBe("iello");
  });

  test("headers are wrong, or missing", async () => {
    await using registry = await withBlob({
      kind: "headers",
      headers: { "docker-content-digest": hash(text("else")), "content-type": "text/html", etag: null },
    });
    const { headers } = await getBlob(registry.url, "a", hello);
    expect(headers.get("docker-content-digest")).toBe(hash(text("else")));
    expect(headers.get("content-type")).toBe("text/html");
    expect(headers.get("etag")).toBeNull();
  });

  test("blobs lie on another origin, which wants no credentials", async () => {
    const storage = memoryStorage();
    await using elsewhere = await startRegistry({
      storage,
      faults: [{ kind: "status", status: 400, when: ({ credential }) => credential !== "none" }],
    });
    await using registry = await startRegistry({
      storage,
      faults: [{ kind: "redirect", method: "GET", path: /\/blobs\/sha256:/, to: elsewhere.url }],
    });
    await pushBlob(registry.url, "a", hello);
    const response = await getBlob(registry.url, "a", hello, { authorization: "Bearer x" });
    expect(response.status).toBe(307);
    const location = response.headers.get("location") ?? "";
    expect(location).toBe(`${elsewhere.url}/v2/a/blobs/${hash(hello)}`);
    expect(await (await fetch(location)).text()).toBe("hello");
    expect((await fetch(location, { headers: { authorization: "Bearer x" } })).status).toBe(400);
  });

  test("Locations are relative, absolute, or elsewhere", async () => {
    await using registry = await startRegistry();
    const begin = async (): Promise<string | null> =>
      (await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" })).headers.get("location");
    expect(await begin()).toMatch(/^\/v2\/a\/blobs\/uploads\/[0-9a-f-]{36}$/);
    registry.inject({ kind: "location", times: 1 });
    expect(await begin()).toMatch(new RegExp(`^${registry.url}/v2/a/blobs/uploads/`));
    registry.inject({ kind: "location", origin: "https://elsewhere.invalid" });
    expect(await begin()).toMatch(/^https:\/\/elsewhere\.invalid\/v2\/a\/blobs\/uploads\//);
  });

  test("a mount begins an upload instead", async () => {
    await using registry = await withBlob({ kind: "no-mount" });
    const path = `/v2/b/blobs/uploads/?mount=${hash(hello)}&from=a`;
    const response = await fetch(registry.url + path, { method: "POST" });
    expect(response.status).toBe(202);
    expect((await getBlob(registry.url, "b", hello)).status).toBe(404);
  });

  test("an answer is late", async () => {
    await using registry = await withBlob({ kind: "delay", ms: 50 });
    const order: string[] = [];
    const slow = getBlob(registry.url, "a", hello).then(() => order.push("slow"));
    await new Promise((resolve) => setImmediate(resolve));
    order.push("at once");
    await slow;
    expect(order).toEqual(["at once", "slow"]);
  });
});

describe("skopeo", () => {
  test.skipIf(lacks("skopeo")).each([
    ["in memory", () => "memory"],
    ["on a directory", () => join(directory, "registry")],
  ])("copies images and indexes to and from a registry %s", async (_, storage) => {
    const layout = ociLayout(join(directory, "ours"));
    const [image, index] = [await randomImage(layout, 1), await randomIndex(layout, 2)];
    await layout.tag(image, "image");
    await layout.tag(index, "index");
    await using registry = await startRegistry({ storage: storage() });
    for (const tag of ["image", "index"]) {
      const remote = `docker://${registry.host}/team/app:${tag}`;
      await run("skopeo", [
        "copy",
        "--all",
        "--dest-tls-verify=false",
        `oci:${directory}/ours:${tag}`,
        remote,
      ]);
      await run("skopeo", [
        "copy",
        "--all",
        "--src-tls-verify=false",
        remote,
        `oci:${directory}/theirs:${tag}`,
      ]);
    }
    const theirs = ociLayout(join(directory, "theirs"));
    expect((await theirs.resolve("image")).digest).toBe(image.digest);
    expect((await theirs.resolve("index")).digest).toBe(index.digest);
    await validateImage(image, theirs);
    await validateImage(index, theirs);
    const { stdout } = await run("skopeo", [
      "list-tags",
      "--tls-verify=false",
      `docker://${registry.host}/team/app`,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ Tags: ["image", "index"] });
    await run("skopeo", ["delete", "--tls-verify=false", `docker://${registry.host}/team/app:image`]);
    expect(registry.requests.filter(({ error }) => error !== undefined)).toEqual([]);
  });

  test.skipIf(lacks("skopeo"))("gets in over TLS with a token", async () => {
    const authority = certificateAuthority();
    const layout = ociLayout(join(directory, "ours"));
    await layout.tag(await randomImage(layout, 1), "v1");
    await using registry = await startRegistry({
      storage: join(directory, "registry"),
      tls: authority.issue("127.0.0.1"),
      auth: { type: "bearer", users: { ann: "secret" }, anonymous: "pull" },
    });
    const certificates = join(directory, "certificates");
    await mkdir(certificates);
    await writeFile(join(certificates, "ca.crt"), authority.cert);
    const remote = `docker://${registry.host}/team/app:v1`;
    const ours = `oci:${directory}/ours:v1`;
    await expect(
      run("skopeo", ["copy", `--dest-cert-dir=${certificates}`, "--dest-creds=ann:wrong", ours, remote]),
    ).rejects.toThrow();
    await run("skopeo", ["copy", `--dest-cert-dir=${certificates}`, "--dest-creds=ann:secret", ours, remote]);
    await run("skopeo", [
      "copy",
      `--src-cert-dir=${certificates}`,
      "--src-no-creds",
      remote,
      `oci:${directory}/theirs:v1`,
    ]);
    const theirs = ociLayout(join(directory, "theirs"));
    await validateImage(await theirs.resolve("v1"), theirs);
  });
});
