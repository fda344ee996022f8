import { createCipheriv } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, type BuildEvent, type BuildOptions } from "@undocked/core";
import { registryClient } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { validateImage } from "../support/random-image.ts";

/* Layers go to the registry while they are made, where nothing is lost by it. */

let context: string;
let registry: RunningRegistry;

beforeAll(() => {
  context = mkdtempSync(join(tmpdir(), "undocked-early-"));
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  writeFileSync(join(context, "large"), noise.update(Buffer.alloc(12 * 1024 * 1024)));
  writeFileSync(join(context, "other"), noise.update(Buffer.alloc(6 * 1024 * 1024)));
  writeFileSync(join(context, "small"), "small");
});
afterAll(() => rmSync(context, { recursive: true, force: true }));

beforeEach(async () => {
  registry = await startRegistry();
  return () => registry.close();
});

async function push(text: string, options: BuildOptions = {}): Promise<readonly BuildEvent[]> {
  const events: BuildEvent[] = [];
  await using image = await buildImage({
    context,
    dockerfile: { text },
    cache: false,
    tags: [`${registry.host}/team/app:1`],
    push: true,
    onEvent: (event) => events.push(event),
    ...options,
  });
  await using client = registryClient();
  const repository = client.repository(`${registry.host}/team/app`);
  const root = await repository.resolve("1");
  expect(root.digest).toBe(image.digest);
  await validateImage(root, repository);
  return events;
}

function requests(method: string, part = ""): number {
  return registry.requests.filter((request) => request.method === method && request.path.includes(part))
    .length;
}

test("a large layer for a new repository is sent while it is made, once", async () => {
  const events = await push("FROM scratch\nCOPY large /\n");
  expect(requests("PATCH")).toBe(1);
  const sent = registry.requests.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
  expect(sent).toBeLessThan(13 * 1024 * 1024);
  expect(events.filter((event) => event.kind === "content").map(({ how }) => how)).toEqual(
    expect.arrayContaining(["copied", "copied", "copied"]),
  );
  const told = events.flatMap((event) => (event.kind === "stream" ? [event.bytes] : []));
  expect(told.at(-1)).toBeGreaterThan(12 * 1024 * 1024);
  expect(registry.openUploads()).toBe(0);
});

test("nothing that a question can spare is sent: a repository that is known is asked first", async () => {
  await push("FROM scratch\nCOPY large /\n");
  const before = registry.requests.length;
  await push("FROM scratch\nCOPY large /\nLABEL a=b\n");
  const again = registry.requests.slice(before);
  expect(again.filter(({ method }) => method === "PATCH")).toEqual([]);
  expect(again.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0)).toBeLessThan(10_000);
});

test("small layers are asked for and sent whole", async () => {
  await push("FROM scratch\nCOPY small /\n");
  expect(requests("PATCH")).toBe(0);
  expect(requests("GET", "/tags/list")).toBe(0);
});

test("several layers arrive whole, whichever way each goes", async () => {
  await push("FROM scratch\nCOPY large /\nCOPY small /\nCOPY other /\n");
  expect(registry.openUploads()).toBe(0);
});

test("where a registry takes no stream, the layer is sent when it is whole", async () => {
  registry.inject({ kind: "status", method: "PATCH", status: 400 });
  await push("FROM scratch\nCOPY large /\n");
  expect(registry.openUploads()).toBe(0);
});

test("an image that is refused sends nothing", async () => {
  await expect(push('FROM scratch\nCOPY large /\nENTRYPOINT ["/nothing"]\n')).rejects.toThrow();
  expect(registry.requests.filter(({ method }) => method !== "HEAD" && method !== "GET")).toEqual([]);
});

test("a build that is stopped leaves no upload open", async () => {
  const stop = new AbortController();
  const stopped = push("FROM scratch\nCOPY large /\nCOPY other /\n", {
    signal: stop.signal,
    onEvent: (event) => event.kind === "layer" && stop.abort(new Error("stopped")),
  });
  await expect(stopped).rejects.toThrow("stopped");
  expect(registry.openUploads()).toBe(0);
  await using client = registryClient();
  await expect(client.repository(`${registry.host}/team/app`).resolve("1")).rejects.toThrow();
});
