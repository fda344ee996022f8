import { createHash } from "node:crypto";
import { cpSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCacheBench, type CacheBench } from "../support/cache-bench.ts";
import { filesOfCache, harms } from "../support/cache-damage.ts";
import { randomFrom, type Random } from "../support/library-layout.ts";

/*
 * Whatever files of the cache became, a build gives what it gives without a cache. `UNDOCKED_DAMAGES=5 UNDOCKED_DAMAGE_SEED=7`
 * does all of it five times, each time with other files.
 */

const seed = Number(process.env["UNDOCKED_DAMAGE_SEED"] ?? "20261121");
const rounds = Number(process.env["UNDOCKED_DAMAGES"] ?? "1");

interface Variant {
  readonly build: (cache: string | false) => Promise<Digest>;
  /** What it gives without a cache. */
  readonly expected: Digest;
}

let cache: CacheBench;
let warm: string;
const variants = new Map<string, Variant>();

beforeAll(async () => {
  cache = await startCacheBench();
  warm = join(cache.place, "warm");
  const whole = { text: cache.text };
  const recordable = { text: cache.recordable };
  const add = async (name: string, build: Variant["build"]): Promise<void> =>
    void variants.set(name, { build, expected: await build(false) });
  await add("to a new place", (own) => cache.build({ cache: own, dockerfile: whole }));
  await add("to where it is", (own) => cache.buildAgain("there", { cache: own, dockerfile: recordable }));
  await add("to nowhere", (own) =>
    cache.buildAgain("there", { cache: own, dockerfile: recordable, push: false }),
  );
  for (const { build } of variants.values()) await build(warm);
  // What it makes is not in the cache.
  const more = { text: `${cache.text}COPY files/2 /c\n` };
  await add("with one layer more", (own) => cache.build({ cache: own, dockerfile: more }));
});
afterAll(() => cache[Symbol.asyncDispose]());

const kinds = [
  "content/index.json",
  "content/oci-layout",
  "content: documents",
  "content: files",
  "content: layers",
  "indexes",
  "looked-at",
  "recipes",
  "recipes/builds",
  "references",
];

test("a warm cache has files of each of these kinds, and no others", () => {
  expect([...filesOfCache(warm).keys()]).toEqual(kinds);
});

let copies = 0;

/** Builds one of the variants twice, with a cache that has come to harm. */
async function buildWith(what: string, random: Random, harm: (copy: string) => void): Promise<void> {
  const [name, { build, expected }] = pick([...variants], random);
  const copy = join(cache.place, `damaged-${(copies += 1)}`);
  cpSync(warm, copy, { recursive: true });
  harm(copy);
  const built = await build(copy).catch((error: unknown) => error);
  expect(built, `${what}, ${name}`).toBe(expected);
  // It is mended, or does no more harm than before.
  expect(await build(copy)).toBe(expected);
  rmSync(copy, { recursive: true });
}

describe.each(kinds)("of %s", (kind) => {
  test.each(Object.entries(harms))("one %s", { timeout: 30_000 * rounds }, async (name, harm) => {
    for (let round = 0; round < rounds; round += 1) {
      const random = seededBy(`${kind} ${name}`, seed + round);
      await buildWith(`seed ${seed + round}`, random, (copy) => {
        const files = filesOfCache(copy).get(kind) ?? [];
        harm(pick(files, random), random, files);
      });
    }
  });
});

const directories = ["content", "content/blobs", "content/blobs/sha256", "indexes", "recipes", "references"];

test.each(directories)("of the directory %s there is a file, a link to nothing, or nothing", async (name) => {
  const becomes: readonly ((path: string) => void)[] = [
    (path) => writeFileSync(path, "file"),
    (path) => symlinkSync("nothing", path),
    () => {},
  ];
  for (const [number, become] of becomes.entries())
    await buildWith(`${number}`, seededBy(name, seed + number), (copy) => {
      const path = join(copy, name);
      rmSync(path, { recursive: true });
      become(path);
    });
});

const several = 10 * rounds;

test(`${several} times several files, each in its own way`, { timeout: 20_000 * several }, async () => {
  for (let round = 0; round < several; round += 1) {
    const random = seededBy("several", seed + round);
    const done: string[] = [];
    await buildWith(`seed ${seed + round}`, random, (copy) => {
      for (let left = 2 + random(6); left > 0; left -= 1) {
        const files = filesOfCache(copy);
        const kind = pick([...files.keys()], random);
        const [name, harm] = pick(Object.entries(harms), random);
        done.push(`${kind} ${name}`);
        harm(pick(files.get(kind) ?? [], random), random, [...files.values()].flat());
      }
    });
  }
});

function pick<T>(all: readonly T[], random: Random): T {
  const picked = all[random(all.length)];
  if (picked === undefined) throw new Error("there is nothing to pick from");
  return picked;
}

/** A series of its own for each text. */
function seededBy(text: string, number: number): Random {
  return randomFrom(createHash("sha256").update(`${text} ${number}`).digest().readInt32LE() | 1);
}
