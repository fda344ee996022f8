import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  contentOf,
  copyImage,
  memoryStore,
  ociLayout,
  openDockerArchive,
  openOciArchive,
  registryClient,
  type Descriptor,
} from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { buildCli, runCli } from "../support/cli.ts";
import { startProxy } from "../support/proxy.ts";
import { lacks } from "../support/tools.ts";
import {
  randomArtifact,
  randomBytes,
  randomImage,
  randomIndex,
  validateImage,
} from "../support/random-image.ts";

let registry: RunningRegistry;
let place: string;
const from = memoryStore();
let root: Descriptor;
let index: Descriptor;
let signature: Descriptor;
const client = registryClient({ credentials: "anonymous" });
const repository = (name: string) => client.repository(`${registry.host}/${name}`);

beforeAll(async () => {
  buildCli();
  registry = await startRegistry();
  root = await randomImage(from, 1, { bytes: 300_000 });
  index = await randomIndex(from, 2);
  signature = await randomArtifact(from, "signature", { subject: root });
  await copyImage(root, from, repository("team/app"), { tags: ["1.0", "latest"], referrers: true });
  await copyImage(index, from, repository("team/app"), { tags: ["multi"] });
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await registry.close();
});
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-commands-"));
  return () => rmSync(place, { recursive: true, force: true });
});

const undocked = (...args: readonly string[]) => runCli(args, { cwd: place });
const app = (tag = ""): string => `${registry.host}/team/app${tag}`;

describe("undocked copy", () => {
  test("takes an image over into another repository, and mounts its blobs", async () => {
    const before = registry.requests.length;
    const { code, stdout, stderr } = await undocked("copy", app(":1.0"), `${registry.host}/other/app:2`);
    expect([code, stdout]).toEqual([0, `${registry.host}/other/app:2@${root.digest}\n`]);
    expect(stderr).toContain("mounted");
    expect((await repository("other/app").resolve("2")).digest).toBe(root.digest);
    const sent = registry.requests.slice(before).filter(({ method }) => method === "PUT");
    expect(sent.map(({ path }) => path.split("/").at(-2))).toEqual(["manifests"]);
  });

  test("goes through a layout and both archives and back into a registry", async () => {
    const steps = [
      [app(":1.0"), "oci:layout:v1"],
      ["oci:layout", "oci-archive:image.tar"],
      ["oci-archive:image.tar:latest", `docker-archive:docker.tar:${app(":back")}`],
      [`docker-archive:docker.tar`, `${registry.host}/back/app:1`],
    ];
    for (const [source = "", target = ""] of steps) {
      const { code, stderr } = await undocked("copy", source, target);
      expect([code, source, stderr.includes("error")]).toEqual([0, source, false]);
    }
    const layout = ociLayout(join(place, "layout"));
    expect((await layout.resolve("v1")).digest).toBe(root.digest);
    await using archive = await openOciArchive(join(place, "image.tar"));
    await validateImage(await archive.resolve(root.digest), archive);
    await using docker = await openDockerArchive(join(place, "docker.tar"));
    await validateImage(await docker.resolve(app(":back")), docker);
    await validateImage(await repository("back/app").resolve("1"), repository("back/app"));
    expect(readdirSync(place).sort()).toEqual(["docker.tar", "image.tar", "layout"]);
  });

  test("names an image in a docker-archive as its source is named", async () => {
    const { code, stdout } = await undocked("copy", "-q", app(":1.0"), "docker-archive:docker.tar");
    expect([code, stdout]).toEqual([0, `docker-archive:${place}/docker.tar:${app(":1.0")}@${root.digest}\n`]);
  });

  test("copies an index whole, or the image for one platform", async () => {
    const whole = await undocked("copy", app(":multi"), "oci:whole");
    expect(whole.stdout).toContain(index.digest);
    await validateImage(index, ociLayout(join(place, "whole")));
    const { code, stdout } = await undocked("copy", app(":multi"), "oci:one", "--platform", "linux/arm64");
    expect([code, stdout.includes(index.digest)]).toEqual([0, false]);
    const { config } = JSON.parse((await undocked("manifest", "oci:one")).stdout) as { config: Descriptor };
    expect(config.mediaType).toContain("config");
    const { code: refused, stderr } = await undocked(
      "copy",
      app(":multi"),
      "oci:no",
      "--platform",
      "plan9/vax",
    );
    expect([refused, stderr]).toEqual([1, expect.stringContaining("PLATFORM_UNKNOWN")]);
  });

  test("takes what refers to the image over when it is asked to", async () => {
    const { code } = await undocked("copy", app(":1.0"), "oci-archive:image.tar", "--referrers");
    expect(code).toBe(0);
    await using archive = await openOciArchive(join(place, "image.tar"));
    const found: string[] = [];
    for await (const { digest } of archive.referrers(root.digest)) found.push(digest);
    expect(found).toEqual([signature.digest]);
  });

  test("converts, and tells the new digest", async () => {
    const { code, stdout } = await undocked("copy", app(":1.0"), "oci:docker", "--convert", "docker");
    const found = await ociLayout(join(place, "docker")).resolve("1.0");
    expect([code, stdout]).toEqual([0, `oci:${place}/docker:1.0@${found.digest}\n`]);
    expect(found.mediaType).toBe("application/vnd.docker.distribution.manifest.v2+json");
  });

  test("leaves nothing behind of an archive that it could not make", async () => {
    const { code, stderr } = await undocked("copy", app(":absent"), "oci-archive:image.tar");
    expect([code, stderr]).toEqual([1, expect.stringContaining("MANIFEST_UNKNOWN")]);
    expect(readdirSync(place)).toEqual([]);
  });
});

describe("undocked tags", () => {
  test("prints every tag", async () => {
    expect(await undocked("tags", app())).toEqual({ code: 0, stdout: "1.0\nlatest\nmulti\n", stderr: "" });
  });

  test("says that there is no such repository", async () => {
    const { code, stderr } = await undocked("tags", `${registry.host}/team/absent`);
    expect([code, stderr]).toEqual([1, expect.stringContaining("NAME_UNKNOWN")]);
  });
});

describe("undocked manifest", () => {
  test("says of a document that is too deep, or too large, that it is", async () => {
    const layout = ociLayout(join(place, "odd"));
    const put = async (text: string, name: string): Promise<void> =>
      await layout.tag(
        await layout.ingest("application/vnd.oci.image.manifest.v1+json", contentOf(Buffer.from(text))),
        name,
      );
    await put(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, "deep");
    await put(`{"a":"${"x".repeat(5_000_000)}"}`, "large");
    const deep = await undocked("manifest", "oci:odd:deep");
    expect(deep).toMatchObject({ code: 1, stdout: "" });
    expect(deep.stderr).toBe(
      "error: The manifest has more than 1000 levels; no more are read. [MANIFEST_INVALID]\n",
    );
    const large = await undocked("manifest", "oci:odd:large");
    expect(large).toMatchObject({ code: 1, stdout: "" });
    expect(large.stderr).toMatch(/^error: The manifest says .+ \[SIZE_MISMATCH\]\n$/);
  });

  const sha256 = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

  test("prints the bytes that the digest is of", async () => {
    const { code, stdout } = await undocked("manifest", app(":1.0"), "--raw");
    expect([code, sha256(stdout)]).toEqual([0, root.digest]);
  });

  test("prints it for people, and that of a platform", async () => {
    const whole = await undocked("manifest", app(":multi"));
    expect(JSON.parse(whole.stdout)).toMatchObject({ manifests: [{ platform: {} }, { platform: {} }] });
    expect(whole.stdout).toContain('\n  "manifests": [\n');
    const one = await undocked("manifest", `${app()}@${index.digest}`, "--platform", "linux/arm64", "--raw");
    const { manifests } = JSON.parse(whole.stdout) as { manifests: Descriptor[] };
    expect(sha256(one.stdout)).toBe(
      manifests.find(({ platform }) => platform?.architecture === "arm64")?.digest,
    );
  });
});

describe("undocked blob", () => {
  const bytes = randomBytes("blob", 3_000_000);
  let blob: Descriptor;
  beforeAll(async () => {
    blob = await from.ingest("a/b", contentOf(bytes));
    await repository("team/app").push(blob, contentOf(bytes));
  });

  test("writes a file", async () => {
    const { code, stdout } = await undocked("blob", `${app()}@${blob.digest}`, "-o", "file");
    expect([code, stdout]).toEqual([0, ""]);
    expect(Buffer.compare(readFileSync(join(place, "file")), bytes)).toBe(0);
    expect(readdirSync(place)).toEqual(["file"]);
  });

  test("leaves no file of bytes that are wrong", async () => {
    const undo = registry.inject({ kind: "corrupt", method: "GET", path: /\/blobs\// });
    const { code, stderr } = await undocked("blob", `${app()}@${blob.digest}`, "-o", "file");
    undo();
    expect([code, stderr]).toEqual([1, expect.stringContaining("DIGEST_MISMATCH")]);
    expect(existsSync(join(place, "file"))).toBe(false);
    expect(readdirSync(place)).toEqual([]);
  });

  test("prints it", async () => {
    const config = JSON.parse((await undocked("manifest", app(":1.0"))).stdout) as { config: Descriptor };
    const { code, stdout } = await undocked("blob", `${app()}@${config.config.digest}`);
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ architecture: "amd64" })]);
  });

  test("says that there is none", async () => {
    const { code, stderr } = await undocked("blob", `${app()}@sha256:${"0".repeat(64)}`);
    expect([code, stderr]).toEqual([1, expect.stringContaining("BLOB_UNKNOWN")]);
  });
});

describe("undocked login and logout", () => {
  const users = { user: "pass:word" };
  const environment = (): Record<string, string> => ({ HOME: place, DOCKER_CONFIG: join(place, "docker") });
  const withInput = (input: string, ...args: readonly string[]) =>
    runCli(args, { cwd: place, env: environment(), input });
  const config = (): string => join(place, "docker/config.json");

  test.each([
    ["basic", { type: "basic", users }],
    ["bearer", { type: "bearer", users }],
  ] as const)("keeps a login that the registry takes, and the other commands use it: %s", async (_, auth) => {
    await using closed = await startRegistry({ auth });
    await using own = registryClient({
      credentials: { [closed.host]: { username: "user", password: "pass:word" } },
    });
    await copyImage(root, from, own.repository(`${closed.host}/team/app`), { tags: ["1.0"] });
    const list = ["tags", `${closed.host}/team/app`];
    expect((await withInput("", ...list)).stderr).toContain("UNAUTHORIZED");

    const login = ["login", closed.host, "-u", "user", "--password-stdin"];
    const { code, stdout } = await withInput("pass:word\n", ...login);
    expect([code, stdout]).toEqual([0, `The login for ${closed.host} is kept in ${config()}.\n`]);
    expect(statSync(config()).mode & 0o777).toBe(0o600);
    expect((await withInput("", ...list)).stdout).toBe("1.0\n");

    const { code: again, stdout: said } = await withInput("", "logout", closed.host);
    expect([again, said]).toEqual([0, `The login for ${closed.host} is gone.\n`]);
    expect((await withInput("", ...list)).stderr).toContain("UNAUTHORIZED");
    expect((await withInput("", "logout", closed.host)).stdout).toBe(
      `There is no login for ${closed.host}.\n`,
    );
  });

  test.each(["basic", "bearer"] as const)("keeps no login that the registry refuses: %s", async (type) => {
    await using closed = await startRegistry({ auth: { type, users } });
    const login = ["login", closed.host, "-u", "user", "--password-stdin"];
    const { code, stdout, stderr } = await withInput("canary", ...login);
    expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining("UNAUTHORIZED")]);
    expect(stderr).not.toContain("canary");
    expect(existsSync(config())).toBe(false);
  });
});

describe("what a registry's client meets on the way", () => {
  const login = { auth: Buffer.from("user:CANARY").toString("base64") };
  const withConfig = (config: unknown, env: Readonly<Record<string, string>>, ...args: readonly string[]) => {
    const content = JSON.stringify(config);
    mkdirSync(join(place, "docker"));
    writeFileSync(join(place, "docker/config.json"), content);
    return runCli(args, { cwd: place, env: { HOME: place, DOCKER_CONFIG: join(place, "docker"), ...env } });
  };
  const closed = () => startRegistry({ auth: { type: "basic", users: { user: "CANARY" } } });

  test("a credential helper that is not there is told, once, before the refusal", async () => {
    await using server = await closed();
    const { code, stderr } = await withConfig(
      { credsStore: "none-such" },
      {},
      "copy",
      `${server.host}/a:1`,
      "oci:a",
    );
    expect([code, stderr.match(/^warning: .*$/gm)]).toEqual([
      1,
      [
        "warning: The credential helper docker-credential-none-such is not installed. [CREDENTIAL_HELPER_NOT_FOUND]",
      ],
    ]);
    expect(stderr.indexOf("warning:")).toBeLessThan(stderr.indexOf("UNAUTHORIZED"));
  });

  test("nothing of it is told to who wants it quiet", async () => {
    await using server = await closed();
    const copy = ["copy", "--quiet", `${server.host}/a:1`, "oci:a"];
    const { code, stderr } = await withConfig({ credsStore: "none-such" }, {}, ...copy);
    expect([code, stderr.includes("UNAUTHORIZED"), stderr.includes("none-such")]).toEqual([1, true, false]);
  });

  test("a build shows it in its own way", async () => {
    await using server = await closed();
    writeFileSync(join(place, "Dockerfile"), `FROM ${server.host}/a:1\n`);
    const build = ["build", ".", "--progress", "json", "--cache-dir", "cache"];
    const { code, stderr } = await withConfig({ credsStore: "none-such" }, {}, ...build);
    const notes = stderr.split("\n").filter((line) => line.startsWith("{"));
    expect([code, notes.map((line) => JSON.parse(line) as unknown)]).toEqual([
      1,
      [
        {
          kind: "note",
          text: "warning: The credential helper docker-credential-none-such is not installed. [CREDENTIAL_HELPER_NOT_FOUND]",
        },
      ],
    ]);
  });

  test("a login that is not sent in the clear is told, and not what it is", async () => {
    await using server = await closed();
    using proxy = await startProxy(() => server.host, "pass");
    const { code, stderr } = await withConfig(
      { auths: { "reg.example": login } },
      { HTTP_PROXY: proxy.url },
      "tags",
      "reg.example/a",
      "--plain-http",
      "http://REG.example/",
    );
    expect([code, proxy.seen.length > 0]).toEqual([1, true]);
    expect(stderr).toContain(
      "warning: The login for reg.example is not sent: it is on plain http. [LOGIN_NOT_SENT]\n",
    );
    expect(stderr).not.toContain("CANARY");
    expect(stderr).not.toContain(login.auth);
  });

  test("a wait is told", async () => {
    const slow = { kind: "status", status: 429, retryAfter: "1" } as const;
    const undo = registry.inject({ ...slow, path: /\/tags\//, times: 1 });
    const { code, stdout, stderr } = await undocked("tags", app());
    undo();
    expect([code, stdout.split("\n").length > 1]).toEqual([0, true]);
    expect(stderr).toBe(`waiting 1 s for ${registry.host}: 429 TOOMANYREQUESTS\n`);
  });

  test.each(["https://reg.example", "reg.example/a", "a b", ""])("--plain-http takes no %j", async (host) => {
    const { code, stderr } = await undocked("tags", app(), `--plain-http=${host}`);
    expect([code, stderr]).toEqual([2, expect.stringContaining("--plain-http")]);
  });
});

describe("what skopeo makes of it", () => {
  const run = promisify(execFile);
  const skopeo = async (...args: readonly string[]): Promise<string> =>
    (await run("skopeo", args, { cwd: place })).stdout;
  const inspect = async (reference: string): Promise<{ mediaType: string; config: { mediaType: string } }> =>
    JSON.parse(await skopeo("inspect", "--raw", "--tls-verify=false", reference)) as {
      mediaType: string;
      config: { mediaType: string };
    };

  test.skipIf(lacks("skopeo")).each([
    ["docker", "application/vnd.docker.distribution.manifest.v2+json"],
    ["oci", "application/vnd.oci.image.manifest.v1+json"],
  ])("it copies an image whose types were converted to %s", async (types, mediaType) => {
    const docker = await randomImage(from, "docker", { types: "docker" });
    await copyImage(docker, from, repository("team/docker"), { tags: ["1"] });
    const source = types === "oci" ? `${registry.host}/team/docker:1` : app(":1.0");
    const target = `${registry.host}/converted/${types}:1`;
    expect((await undocked("copy", source, target, "--convert", types)).code).toBe(0);
    expect((await inspect(`docker://${target}`)).mediaType).toBe(mediaType);
    await skopeo("copy", "--src-tls-verify=false", `docker://${target}`, "dir:copied");
    await skopeo("copy", "dir:copied", "docker-archive:loadable.tar:app:1");
    await using archive = await openDockerArchive(join(place, "loadable.tar"));
    await validateImage(await archive.resolve("app:1"), archive);
  });

  test.skipIf(lacks("skopeo"))("it reads an archive that has what refers to its image too", async () => {
    await undocked("copy", app(":1.0"), "oci-archive:image.tar", "--referrers");
    await skopeo("copy", "oci-archive:image.tar:1.0", "oci:copied:1.0");
    expect((await ociLayout(join(place, "copied")).resolve("1.0")).digest).toBe(root.digest);
  });

  test.skipIf(lacks("skopeo"))("what it wrote is copied into a registry", async () => {
    await skopeo("copy", "--src-tls-verify=false", `docker://${app(":1.0")}`, "oci-archive:theirs.tar:1.0");
    const { code, stdout } = await undocked("copy", "oci-archive:theirs.tar", `${registry.host}/theirs/app`);
    expect([code, stdout]).toEqual([0, `${registry.host}/theirs/app:latest@${root.digest}\n`]);
  });
});
