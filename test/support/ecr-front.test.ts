import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mergedUsrBase } from "./bases.ts";
import { startDockerRegistry, type DockerRegistry } from "./docker-registry.ts";
import { ecrFront, type EcrFront } from "./ecr-front.ts";
import { pushMade, writeMade } from "./make-image.ts";
import { certificateAuthority } from "./tls.ts";
import { lacks } from "./tools.ts";

const run = promisify(execFile);

describe.skipIf(lacks("docker-registry", "skopeo"))("the front that does as public ECR does", () => {
  let place: string;
  let registry: DockerRegistry;
  let front: EcrFront;

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), "undocked-front-"));
    registry = await startDockerRegistry();
    front = await ecrFront({ upstream: registry.url, users: { AWS: "secret" } });
    await writeFile(join(place, "ca.crt"), front.ca);
    const base = await mergedUsrBase();
    await pushMade(base, registry.url, "amazonlinux/amazonlinux", "latest");
    await writeMade(base, join(place, "layout"), "base");
  });
  afterAll(async () => {
    await front[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await rm(place, { recursive: true });
  });
  beforeEach(() => void front.faults.splice(0));

  const image = (): string => `docker://${front.host}/amazonlinux/amazonlinux:latest`;
  const skopeo = (...args: readonly string[]) => run("skopeo", args);

  test("skopeo pulls through it, with a token and without a leak", async () => {
    await skopeo("copy", "--all", "--src-cert-dir", place, image(), `oci:${place}/pulled:base`);
    expect(front.leaks()).toEqual([]);
    const origins = new Set(
      front.requests.map(({ origin, credential, status }) => `${origin} ${credential} ${status}`),
    );
    expect([...origins].sort()).toEqual([
      "registry bearer 200",
      "registry bearer 307",
      "registry none 401",
      "storage none 200",
      "token none 200",
    ]);
  });

  test("pushing needs a token that was got with a password", async () => {
    const copy = (...flags: readonly string[]) =>
      skopeo(
        "copy",
        "--dest-cert-dir",
        place,
        ...flags,
        `oci:${place}/layout:base`,
        `docker://${front.host}/own/app:1`,
      );
    await expect(copy()).rejects.toThrow(/DENIED/);
    await expect(copy("--dest-creds", "AWS:wrong")).rejects.toThrow();
    await copy("--dest-creds", "AWS:secret");
  });

  test.each([
    ["flip", (body: Buffer, honest: Buffer) => body.length === honest.length],
    ["append", (body: Buffer, honest: Buffer) => body.length === honest.length + 1],
    ["truncate", (body: Buffer, honest: Buffer) => body.length === honest.length - 1],
  ] as const)("a document with the fault %s is whole and another", async (how, fits) => {
    const raw = async () =>
      Buffer.from((await skopeo("inspect", "--raw", "--cert-dir", place, image())).stdout);
    const honest = await raw();
    front.faults.push({ on: "latest", how });
    const changed = await raw();
    expect(changed).not.toEqual(honest);
    expect(fits(changed, honest)).toBe(true);
  });

  test("a document that is cut ends early", async () => {
    front.faults.push({ on: "latest", how: "cut" });
    await expect(skopeo("inspect", "--raw", "--cert-dir", place, image())).rejects.toThrow(/EOF/);
  });

  test("a client that is refused for a while comes back", async () => {
    const before = front.requests.length;
    front.refuse(1, "1");
    await skopeo("inspect", "--raw", "--cert-dir", place, image());
    const statuses = front.requests.slice(before).map(({ status }) => status);
    expect(statuses).toContain(429);
    expect(statuses.at(-1)).toBe(200);
  });

  test("the storage answers 400 to a credential, and 403 to a changed query", async () => {
    const token = (await ask(`https://${front.host}/token/`)).body;
    const authorization = `Bearer ${(JSON.parse(token) as { token: string }).token}`;
    const manifests = `https://${front.host}/v2/amazonlinux/amazonlinux/manifests`;
    const index = JSON.parse(
      (await ask(`${manifests}/latest`, { authorization, accept: "application/vnd.oci.image.index.v1+json" }))
        .body,
    ) as { manifests: { digest: string }[] };
    const accept = "application/vnd.oci.image.manifest.v1+json";
    const manifest = await ask(`${manifests}/${index.manifests[0]?.digest}`, { authorization, accept });
    expect(manifest.headers["docker-content-digest"]).toBeUndefined();
    const { config } = JSON.parse(manifest.body) as { config: { digest: string } };
    const blob = `https://${front.host}/v2/amazonlinux/amazonlinux/blobs/${config.digest}`;
    const redirect = await ask(blob, { authorization });
    expect(redirect.status).toBe(307);
    const place = String(redirect.headers["location"]);
    expect((await ask(place, { authorization })).status).toBe(400);
    expect(front.leaks()).toHaveLength(1);
    expect((await ask(new URL(place).href.replace("~", "%7E"))).status).toBe(403);
    expect((await ask(place)).status).toBe(200);
  });

  test("a registry behind may speak TLS, and places may be relative", async () => {
    const authority = certificateAuthority();
    await using secure = await startDockerRegistry({ tls: authority.issue("127.0.0.1") });
    await using other = await ecrFront({
      upstream: secure.url,
      upstreamCa: authority.cert,
      authority,
      locations: "relative",
    });
    const certificates = await mkdtemp(join(place, "tls-"));
    await writeFile(join(certificates, "ca.crt"), other.ca);
    const target = `docker://${other.host}/own/app:1`;
    await skopeo("copy", "--dest-cert-dir", certificates, `oci:${place}/layout:base`, target);
    await skopeo("copy", "--src-cert-dir", certificates, target, `oci:${place}/again:1`);
  });

  interface Answer {
    readonly status: number;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly body: string;
  }

  async function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const agent = new Agent({ ca: front.ca });
    return new Promise((resolve, reject) => {
      const asked = request(url, { headers: { ...headers }, agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("end", () => {
          agent.destroy();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          });
        });
      });
      asked.once("error", reject);
      asked.end();
    });
  }
});
