import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { defaultPlatform } from "@undocked/registry";
import { describeExecutable, inspectExecutable, staticGate, type ByteSource } from "@undocked/core/elf";
import { withSections } from "../support/tiny-elf-sections.ts";
import { buildElf, tinyPlatforms } from "../support/tiny-elf.ts";
import { withArmAttributes, withGoBuild } from "../support/tiny-elf-extras.ts";

const count = 50_000;
// The most that any one file may make us read: dynamic section and names, versions, notes.
const readLimit = 24 << 20;

describe("damaged files", () => {
  test(
    `${count} of them: no crash, nothing read outside, little read at all`,
    { timeout: 600_000 },
    async () => {
      const random = generator(20_261_121);
      const seeds = seedFiles();
      const seen = new Map<string, number>();
      for (let n = 0; n < count; n++) {
        const seed = seeds[n % seeds.length]!;
        const file = mutate(seed, random);
        const source = guarded(file);
        const report = await inspectExecutable(source, { platform: defaultPlatform });
        const sentence = describeExecutable(report);
        const refusal = staticGate(report, {
          path: "/a",
          platform: defaultPlatform,
          mode: "static",
          role: "program",
        });
        expect(sentence).toMatch(/\.$/);
        const key = refusal?.code ?? report.linkage;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      console.log(Object.fromEntries([...seen].sort(([, a], [, b]) => b - a)));
      expect(seen.size).toBeGreaterThan(8);
      expect(process.memoryUsage().rss).toBeLessThan(600 << 20);
    },
  );
});

/** Fails when asked for what is outside, for too much, or too often. */
function guarded(file: Uint8Array): ByteSource {
  let total = 0;
  return {
    size: file.byteLength,
    read(position, length) {
      if (position < 0 || length < 0 || position + length > file.byteLength) {
        throw new Error(`${length} bytes at ${position} are outside of ${file.byteLength}`);
      }
      total += length;
      if (total > readLimit) throw new Error(`more than ${readLimit} bytes are read`);
      return file.subarray(position, position + length);
    },
  };
}

function seedFiles(): readonly Uint8Array[] {
  const made = Object.values(tinyPlatforms).flatMap((platform) => [
    buildElf({ platform, pie: true, data: new Uint8Array(64) }),
    buildElf({
      platform,
      pie: true,
      interpreter: platform.interpreter,
      needed: ["libc.so.6", "libm.so.6"],
      runpath: "$ORIGIN",
      versionNeeds: [{ library: "libc.so.6", versions: ["A", "B?"] }],
      notes: [{ owner: "GNU", type: 5, content: new Uint8Array(32) }],
    }),
    buildElf({ platform, soname: "liba.so.1", versionDefinitions: ["A_1", "A_2", "A_3"] }),
    buildElf(withGoBuild({ platform }, { GOOS: "linux", GOARCH: "amd64", GOAMD64: "v3" })),
    buildElf({
      platform,
      soname: "libb.so",
      needed: ["libc.so"],
      filters: ["libc.so.6"],
      auxiliaries: ["a"],
    }),
  ]);
  const arm = tinyPlatforms["linux/arm/v7"];
  made.push(withArmAttributes(buildElf({ platform: arm }), { 6: 10, 28: 1, 9: 2 }));
  const comment = { ".comment": Buffer.from("GCC: (Debian 12.2.0) 12.2.0\0") };
  const dynamic = { pie: true, interpreter: "/lib/ld.so", needed: ["libc.so.6", "__svm_version"] };
  made.push(withSections(buildElf(dynamic), comment));
  const installed = [
    "/bin/true",
    "/sbin/ldconfig",
    "/lib64/ld-linux-x86-64.so.2",
    "/bin/busybox",
    "/lib/ld-musl-x86_64.so.1",
  ];
  return [
    ...made,
    ...installed.filter((path) => existsSync(path)).map((path) => readFileSync(path).subarray(0, 1 << 20)),
    // A slice of a Buffer would be the Buffer's own bytes.
  ].map((bytes) => new Uint8Array(bytes));
}

const extremes = [0, 1, 2, 0x7f, 0x80, 0xff];

/** Header, program headers, dynamic section: where damage matters, mostly; or a cut, or bytes anywhere. */
function mutate(seed: Uint8Array, random: (below: number) => number): Uint8Array {
  if (random(12) === 0) return seed.subarray(0, random(seed.byteLength + 1));
  const file = seed.slice();
  const regions = [64, 64 + 56 * 12, 4096, file.byteLength];
  for (let left = 1 + random(6); left > 0; left--) {
    const at = 4 + random(Math.min(regions[random(4)]!, file.byteLength) - 4);
    const kind = random(4);
    if (kind === 0) file[at] = random(256);
    else if (kind === 1) file[at] = extremes[random(extremes.length)]!;
    else if (kind === 2) file[at] = (file[at] ?? 0) ^ (1 << random(8));
    else file.fill(extremes[random(extremes.length)]!, at, at + [1, 2, 4, 8, 64][random(5)]!);
  }
  return file;
}

/** xorshift32: the same numbers everywhere. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
