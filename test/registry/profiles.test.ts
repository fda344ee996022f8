import {
  contentOf,
  copyImage,
  memoryStore,
  readAll,
  registryClient,
  type CopyEvent,
  type RegistryClientOptions,
} from "@undocked/registry";
import {
  registryProfiles,
  startRegistry,
  type RegistryProfileName,
  type RunningRegistry,
} from "@undocked/registry/server";
import { describe, expect, test } from "vitest";
import {
  randomArtifact,
  randomBytes,
  randomImage,
  randomIndex,
  validateImage,
} from "../support/random-image.ts";

const names = Object.keys(registryProfiles).filter((_name): _name is RegistryProfileName => true);

const credentialsOf = (name: RegistryProfileName): { username: string; password: string } => ({
  username: name === "ecr" ? "AWS" : "user",
  password: "password",
});

function clientOf(registry: RunningRegistry, name: RegistryProfileName, options: RegistryClientOptions = {}) {
  const credentials = { [registry.host]: credentialsOf(name) };
  return registryClient({ credentials, retry: { baseMs: 1 }, ...options });
}

describe.each(names)("a registry that behaves as %s", (name) => {
  test("is pushed to and pulled from", async () => {
    await using registry = await startRegistry(registryProfiles[name]);
    await using client = clientOf(registry, name);
    const from = memoryStore();
    const root = await randomIndex(from, 1);
    const app = client.repository(`${registry.host}/team/app`);
    await copyImage(root, from, app, { tags: ["v1", "v2"] });
    const tags: string[] = [];
    for await (const tag of app.tags()) tags.push(tag);
    expect(tags).toEqual(["v1", "v2"]);
    const found = await app.resolve("v1");
    expect(found.digest).toBe(root.digest);
    const to = memoryStore();
    await copyImage(found, app, to, { tags: ["v1"] });
    await validateImage(await to.resolve("v1"), to);
    expect(registry.openUploads()).toBe(0);
  });

  test("gives its layers to an image beside the one that has them", async () => {
    await using registry = await startRegistry(registryProfiles[name]);
    await using client = clientOf(registry, name);
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, client.repository(`${registry.host}/team/base`));
    const app = client.repository(`${registry.host}/team/app`);
    const kinds = new Set<CopyEvent["kind"]>();
    await copyImage(root, from, app, {
      tags: ["v1"],
      mountFrom: () => "team/base",
      onEvent: ({ kind }) => kinds.add(kind),
    });
    expect(kinds.has("mounted")).toBe(!["ecr", "ecr-public", "harbor"].includes(name));
    await validateImage(await app.resolve("v1"), app);
    expect(registry.openUploads()).toBe(0);
  });

  test("keeps what refers to an image", async () => {
    await using registry = await startRegistry(registryProfiles[name]);
    await using client = clientOf(registry, name);
    const from = memoryStore();
    const root = await randomImage(from, 1);
    const signature = await randomArtifact(from, "signature", { subject: root });
    const app = client.repository(`${registry.host}/team/app`);
    await copyImage(root, from, app, { tags: ["v1"], referrers: true });
    const found: string[] = [];
    for await (const { digest } of app.referrers(root.digest)) found.push(digest);
    expect(found).toEqual([signature.digest]);
  });

  test(name === "ecr" ? "gives nothing to who has no login" : "gives everybody what they pull", async () => {
    await using registry = await startRegistry(registryProfiles[name]);
    await using client = clientOf(registry, name);
    await using stranger = registryClient({ credentials: "anonymous" });
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, client.repository(`${registry.host}/team/app`), { tags: ["v1"] });
    const app = stranger.repository(`${registry.host}/team/app`);
    const pulled = copyImage(root, app, memoryStore());
    if (name === "ecr") await expect(pulled).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    else expect((await pulled).digest).toBe(root.digest);
    await expect(app.tag(root, "v2")).rejects.toMatchObject({ status: 401 });
  });
});

test("no credential comes to a registry's storage", async () => {
  await using registry = await startRegistry(registryProfiles.acr);
  await using client = clientOf(registry, "acr");
  const app = client.repository(`${registry.host}/team/app`);
  const from = memoryStore();
  const root = await randomImage(from, 1);
  await copyImage(root, from, app);
  await validateImage(root, app);
  const signed = registry.requests.filter(({ path }) => path.includes("signature="));
  expect(signed.map(({ status, credential }) => `${status} ${credential}`)).toEqual(
    Array.from({ length: 3 }, () => "200 none"),
  );
  // As a client would that follows and keeps its header.
  const [{ path } = { path: "" }] = signed;
  const refused = await fetch(registry.url + path, { headers: { authorization: "Bearer token" } });
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining("correct format")]);
  // And nobody else has the signature.
  const guessed = await fetch(registry.url + path.replace(/signature=.*/, "signature=guessed"));
  expect(guessed.status).toBe(401);
});

test("ghcr refuses pieces of more than 4 MiB, and takes a blob of any size in one", async () => {
  await using registry = await startRegistry(registryProfiles.ghcr);
  const bytes = randomBytes("large", 9 * 1024 * 1024);
  const from = memoryStore();
  const blob = await from.ingest("a/b", contentOf(bytes));
  for (const upload of [{}, { chunkSize: 4 * 1024 * 1024 }]) {
    await using client = clientOf(registry, "ghcr", { upload });
    const app = client.repository(`${registry.host}/team/app-${JSON.stringify(upload).length}`);
    await app.push(blob, contentOf(bytes));
    expect(Buffer.compare(await readAll(app.fetch(blob)), bytes)).toBe(0);
  }
  await using client = clientOf(registry, "ghcr", { upload: { chunkSize: 8 * 1024 * 1024 } });
  const pushed = client.repository(`${registry.host}/team/other`).push(blob, contentOf(bytes));
  await expect(pushed).rejects.toMatchObject({ status: 416 });
});
