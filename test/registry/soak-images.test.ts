import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";
import {
  copyImage,
  memoryStore,
  nodeFetchTransport,
  registryClient,
  type Transport,
} from "@undocked/registry";
import { expect, test } from "vitest";
import { startDockerRegistry } from "../support/docker-registry.ts";
import { randomImage, validateImage } from "../support/random-image.ts";
import { lacks } from "../support/tools.ts";

const run = promisify(execFile);
// All of them take some minutes: UNDOCKED_SOAK_IMAGES=200.
const images = Number(process.env["UNDOCKED_SOAK_IMAGES"] ?? "20");

/** Fails one request in twenty: before it is sent, after its answer, or with a status that may pass. */
function faulty(transport: Transport, counted: { requests: number; failed: number }): Transport {
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return async (request) => {
    counted.requests += 1;
    if (random(20) > 0) return await transport(request);
    counted.failed += 1;
    const kind = random(3);
    if (kind === 0) throw Object.assign(new Error("cut"), { code: "ECONNRESET" });
    const response = await transport(request);
    response.cancel();
    if (kind === 1) throw Object.assign(new Error("cut"), { code: "ECONNRESET" });
    return { ...response, status: 503 };
  };
}

const openFiles = (): number => readdirSync("/proc/self/fd").length;

test.skipIf(lacks("docker-registry", "skopeo"))(
  `${images} images go to docker-registry and back with 5 in 100 requests failing: whole, and nothing stays open`,
  async () => {
    await using registry = await startDockerRegistry();
    const { host } = registry;
    const counted = { requests: 0, failed: 0 };
    const before = openFiles();
    const memory: number[] = [];
    const transport = nodeFetchTransport({ environment: {} });
    await using client = registryClient({
      credentials: "anonymous",
      transport: faulty(transport, counted),
      retry: { retries: 10, baseMs: 1 },
    });
    for (let seed = 1; seed <= images; seed += 1) {
      const from = memoryStore();
      const root = await randomImage(from, seed);
      const repository = client.repository(`${host}/soak/${seed % 7}`);
      await copyImage(root, from, repository, { tags: [`v${seed}`] });
      const back = memoryStore();
      await copyImage(await repository.resolve(`v${seed}`), repository, back);
      await validateImage(root, back);
      const { stdout } = await run("skopeo", [
        "inspect",
        "--tls-verify=false",
        "--raw",
        `docker://${host}/soak/${seed % 7}:v${seed}`,
      ]);
      expect((await back.ingest(root.mediaType, bytesOf(stdout))).digest).toBe(root.digest);
      if (seed === Math.ceil(images / 2) || seed === images) memory.push(process.memoryUsage().rss);
    }
    transport.close?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const [half = 0, end = 0] = memory;
    console.log(
      `${images} images: ${counted.failed} of ${counted.requests} requests failed; memory ${Math.round((end - half) / 1e6)} MB more at the end than in the middle; ${openFiles() - before} more files open`,
    );
    expect(counted.failed).toBeGreaterThan(0);
    expect(end - half).toBeLessThan(64e6);
    expect(openFiles()).toBeLessThanOrEqual(before);
  },
  900_000,
);

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
