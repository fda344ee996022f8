import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildServer } from "../../examples/eywa/build.ts";
import {
  copyImage,
  defaultPlatform,
  parseManifestDocument,
  readAll,
  registryClient,
  selectPlatform,
  type RegistryClient,
} from "@undocked/registry";
import { mergedUsrBase } from "../support/bases.ts";
import { startDockerRegistry, type DockerRegistry } from "../support/docker-registry.ts";
import { ecrFront, type EcrFront } from "../support/ecr-front.ts";
import type { MadeImage } from "../support/make-image.ts";
import { startImage, startTools } from "../support/start-image.ts";
import { certificateAuthority } from "../support/tls.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

const run = promisify(execFile);

// Debian's registry over TLS with an authority of its own, behind a front that does as public ECR does.
describe.skipIf(lacks("docker-registry", "skopeo", "gcc"))("a registry like public ECR", () => {
  let place: string;
  let registry: DockerRegistry;
  let front: EcrFront;
  let client: RegistryClient;

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), "undocked-ecr-"));
    const authority = certificateAuthority();
    registry = await startDockerRegistry({ tls: authority.issue("127.0.0.1", "localhost") });
    front = await ecrFront({
      upstream: registry.url,
      upstreamCa: authority.cert,
      authority,
      users: { AWS: "canary-secret" },
    });
    await writeFile(join(place, "ca.crt"), front.ca);
    await using behind = registryClient({ ca: authority.cert, credentials: "anonymous" });
    const base = await mergedUsrBase();
    const repository = behind.repository(`${registry.host}/amazonlinux/amazonlinux`);
    await copyImage(base.root, base.store, repository, { tags: ["latest"] });
    client = registryClient({
      ca: front.ca,
      credentials: { [front.host]: { username: "AWS", password: "canary-secret" } },
    });
  });
  afterAll(async () => {
    await client[Symbol.asyncDispose]();
    await front[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await rm(place, { recursive: true });
  });
  beforeEach(() => void front.faults.splice(0));

  const server = (
    tag: string,
    base = `${front.host}/amazonlinux/amazonlinux:latest`,
    cache: string | false = join(place, "cache"),
  ) =>
    buildServer({
      dockerfile: {
        text: `FROM ${base}\nWORKDIR /home/app\nCOPY --chmod=755 my-executable ./\nCOPY templates/ ./templates/\nEXPOSE 8082\nENTRYPOINT ["./my-executable"]\n`,
      },
      registry: client,
      cache,
      tags: [`${front.host}/eywa/server:${tag}`],
      push: true,
    });

  const skopeo = (...args: readonly string[]) => run("skopeo", args);

  test("gives the base and takes the image, and no credential goes to the storage", async () => {
    await using image = await server("1");
    expect(image.pushed).toEqual([
      {
        reference: `${front.host}/eywa/server:1`,
        repository: `${front.host}/eywa/server`,
        tag: "1",
        digest: image.digest,
      },
    ]);
    expect(front.leaks()).toEqual([]);
    expect(front.requests.filter(({ origin }) => origin === "storage").length).toBeGreaterThan(0);
  });

  test("skopeo inspects and copies what was pushed", async () => {
    await using image = await server("1");
    const reference = `docker://${front.host}/eywa/server:1`;
    const creds = ["--creds", "AWS:canary-secret", "--cert-dir", place];
    const { stdout } = await skopeo("inspect", ...creds, reference);
    expect(JSON.parse(stdout)).toMatchObject({ Digest: image.digest, Architecture: "amd64", Os: "linux" });
    await skopeo(
      "copy",
      "--src-creds",
      "AWS:canary-secret",
      "--src-cert-dir",
      place,
      reference,
      `oci:${place}/copied:1`,
    );
  });

  test.skipIf(lacksRoot || lacks(...startTools))(
    "the server answers on 127.0.0.2:8082 in the root that umoci unpacks",
    async () => {
      await using _image = await server("1");
      const layout = join(place, "started");
      await mkdir(layout, { recursive: true });
      const reference = `docker://${front.host}/eywa/server:1`;
      await skopeo(
        "copy",
        "--src-creds",
        "AWS:canary-secret",
        "--src-cert-dir",
        place,
        reference,
        `oci:${layout}:1`,
      );
      await using started = await startImage({ layout, tag: "1" });
      const answer = await started.get("http://127.0.0.2:8082/");
      expect(answer.status).toBe(200);
      expect(answer.body).toContain("<h1>");
    },
  );

  test("the same image again sends nothing", async () => {
    await using first = await server("2");
    const before = front.requests.length;
    await using second = await server("2");
    expect(second.digest).toBe(first.digest);
    const later = front.requests.slice(before);
    expect(later.filter(({ method }) => !["GET", "HEAD"].includes(method))).toEqual([]);
    expect(later.filter(({ url }) => url.includes("/blobs/")).map(({ url }) => url)).toEqual([]);
  });

  test("the base's layers are mounted, not sent", async () => {
    await using image = await server("3");
    const [baseLayer] = image.layers;
    const sent = front.requests.filter(
      ({ method, url }) => method === "PUT" && url.includes(baseLayer?.digest.slice(7) ?? "?"),
    );
    expect(sent).toEqual([]);
  });

  test.each([
    ["index", "flip"],
    ["index", "append"],
    ["index", "truncate"],
    ["manifest", "flip"],
    ["manifest", "truncate"],
    ["config", "flip"],
    ["config", "append"],
    ["layer", "flip"],
    ["layer", "append"],
    ["layer", "truncate"],
  ] as const)(
    "a base whose %s is changed on its way (%s) is refused, and nothing is pushed",
    async (what, how) => {
      const base = await mergedUsrBase();
      for (const on of [await digestOf(base, what), ...(what === "index" ? ["latest"] : [])])
        front.faults.push({ on, how });
      const building = server("tampered", undefined, false);
      await expect(building).rejects.toMatchObject({
        code: expect.stringMatching(/^(DIGEST_MISMATCH|SIZE_MISMATCH|REGISTRY_\w+|CONNECTION_\w+)$/),
      });
      const written = front.requests.filter(
        ({ method, url }) => method === "PUT" && url.includes("tampered"),
      );
      expect(written).toEqual([]);
    },
  );

  test.each(["flip", "append", "truncate"] as const)(
    "an index that comes otherwise by its tag (%s) is fetched by its digest",
    async (how) => {
      await using whole = await server("6");
      front.faults.push({ on: "latest", how });
      await using image = await server("6", undefined, false);
      expect(image.digest).toBe(whole.digest);
    },
  );

  test("gives what a tag stands for with two questions: for the bytes, and what their digest is", async () => {
    const before = front.requests.length;
    await using image = await server("7", undefined, false);
    const asked = front.requests.slice(before).filter(({ url }) => url.includes("/amazonlinux/manifests/"));
    const index = await digestOf(await mergedUsrBase(), "index");
    expect(image.pushed).toHaveLength(1);
    expect(asked.map(({ method, url }) => `${method} ${url.split("/").at(-1)}`).slice(0, 2)).toEqual([
      "GET latest",
      "HEAD latest",
    ]);
    expect(asked.filter(({ url }) => url.endsWith(index))).toEqual([]);
  });

  test.each(["config", "layer"] as const)(
    "a base whose %s is cut off is fetched on from there",
    async (what) => {
      await using whole = await server("5");
      front.faults.push({ on: await digestOf(await mergedUsrBase(), what), how: "cut" });
      await using image = await server("5", undefined, false);
      expect(image.digest).toBe(whole.digest);
    },
  );

  test("that is busy is asked again after the time that it names", async () => {
    front.refuse(2, "0");
    await using image = await server("4");
    expect(image.pushed).toHaveLength(1);
  });
});

/** The digest of one part of the image for linux/amd64. */
async function digestOf(
  { root, store }: MadeImage,
  what: "index" | "manifest" | "config" | "layer",
): Promise<string> {
  if (what === "index") return root.digest;
  const index = parseManifestDocument(await readAll(store.fetch(root)), root.mediaType);
  const child = index.kind === "index" ? selectPlatform(index.index, defaultPlatform) : root;
  if (what === "manifest") return child.digest;
  const document = parseManifestDocument(await readAll(store.fetch(child)), child.mediaType);
  if (document.kind !== "manifest") throw new Error("an index in an index");
  const { config, layers } = document.manifest;
  return (what === "config" ? config : layers[0])?.digest ?? "none";
}
