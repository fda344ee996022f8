import {
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage } from "@undocked/core";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { buildCli } from "../support/cli.ts";
import { runMeasured } from "../support/peak-memory.ts";

const MiB = 1024 * 1024;
let directory: string;
let registry: RunningRegistry;

/** A megabyte that does not compress; the same for the same seed. */
function noise(seed: number): Uint8Array {
  const words = new Uint32Array(MiB / 4);
  let state = seed;
  for (let at = 0; at < words.length; at++) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer);
}

beforeAll(async () => {
  buildCli();
  directory = mkdtempSync(join(tmpdir(), "undocked-large-"));
  registry = await startRegistry({ storage: join(directory, "registry") });
  writeFileSync(join(directory, "Dockerfile"), "FROM scratch\nCOPY large /\n");
});
afterAll(async () => {
  await registry.close();
  rmSync(directory, { recursive: true, force: true });
});

function writeLarge(megabytes: number, ofNoise: number): void {
  const file = openSync(join(directory, "large"), "w");
  for (let at = 0; at < ofNoise; at++) writeSync(file, noise(at + 1));
  closeSync(file);
  truncateSync(join(directory, "large"), megabytes * MiB);
}

describe("a large file", () => {
  /** Bytes of memory that the command has taken at most. */
  async function peakOfPush(tag: string): Promise<number> {
    const args = ["build", directory, "--no-cache", "--push", "-t", `${registry.host}/${tag}`, "--quiet"];
    const { code, stdout, stderr, peak } = await runMeasured(args);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`/${tag}@sha256:`);
    return peak;
  }

  test("of 512 MiB that do not compress is built and pushed in less than 150 MB of memory", async () => {
    writeLarge(512, 512);
    const peak = await peakOfPush("noise:1");
    expect(peak).toBeGreaterThan(10 * MiB);
    expect(peak).toBeLessThan(150_000_000);
  });

  test("of 1 GiB is built and pushed in less than 200 MB of memory", async () => {
    writeLarge(1024, 512);
    expect(await peakOfPush("large:1")).toBeLessThan(200_000_000);
  });

  test.each(["oci-layout", "oci-archive", "docker-archive", "push"] as const)(
    "that is given up in the middle of its %s leaves nothing behind",
    async (type) => {
      writeLarge(64, 64);
      const abort = new AbortController();
      const place = join(directory, `given-up-${type}`, "image");
      const before = readdirSync(directory);
      const building = buildImage({
        context: directory,
        cache: false,
        tags: [`${registry.host}/given-up-${type}:1`],
        ...(type === "push" ? { push: true } : { outputs: [{ type, path: place }] }),
        signal: abort.signal,
        onEvent: (event) => {
          const isSending = event.kind === "progress" || event.kind === "stream";
          if (isSending && event.bytes > 8 * MiB) abort.abort(new Error("given up"));
        },
      });
      await expect(building).rejects.toThrow("given up");
      expect(existsSync(place)).toBe(false);
      expect(leftovers(directory).filter((name) => !before.includes(name.split("/")[0] ?? ""))).toEqual([]);
      expect(registry.openUploads()).toBe(0);
    },
  );
});

/** Files, by their path below a directory. */
function leftovers(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !path.startsWith("registry/"));
}
