import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildImage, type BuildOptions } from "@undocked/core";
import { UndockedError } from "@undocked/registry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { directory, file, link } from "../support/bases.ts";
import { askedOf, change, makeWorld, swapContext, type World } from "../support/build-model.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { randomFrom } from "../support/library-layout.ts";
import { makeImage } from "../support/make-image.ts";
import { validateImage } from "../support/random-image.ts";

/*
 * Whatever changes, a build with a cache comes to what a build without one comes to, and tells the same.
 * `UNDOCKED_MODEL_WORLDS=500 UNDOCKED_MODEL_SEED=7` tries more of them, and others.
 */

const seed = Number(process.env["UNDOCKED_MODEL_SEED"] ?? "1");
const count = Number(process.env["UNDOCKED_MODEL_WORLDS"] ?? "8");
const rounds = 4;

let bench: Bench;
let place: string;
let bases: readonly string[];

beforeAll(async () => {
  bench = await startBench();
  place = mkdtempSync(join(tmpdir(), "undocked-model-"));
  const plain = [directory("app"), directory("d"), file("d/file", "of the base")];
  const linked = [directory("usr"), directory("usr/app", 0o700), link("app", "usr/app"), file("d", "a file")];
  bases = [
    await bench.publish("plain", await makeImage({ layers: [plain] })),
    await bench.publish("linked", await makeImage({ layers: [linked], config: { WorkingDir: "/d" } })),
  ];
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  rmSync(place, { recursive: true });
});

/** What a build comes to, as JSON: all that it tells, or its fault. */
async function outcome(options: BuildOptions): Promise<unknown> {
  try {
    await using image = await buildImage({ registry: bench.client, ...options });
    const { store: _, tags: _tags, pushed: _pushed, ...told } = image;
    return JSON.parse(JSON.stringify(told));
  } catch (error) {
    if (!(error instanceof UndockedError)) throw error;
    const { code, message } = error;
    return { code, message };
  }
}

async function compare(world: World, tag: string): Promise<string> {
  const asked = askedOf(world);
  const cold = await outcome({ ...asked, cache: false });
  const pushing = { ...asked, cache: world.cache, tags: [tag], push: true };
  for (const _ of ["after the change", "once more"]) {
    expect(await outcome(pushing)).toEqual(cold);
    if (typeof cold !== "object" || cold === null || !("digest" in cold)) continue;
    const repository = bench.client.repository(tag);
    const root = await repository.resolve("1");
    expect(root.digest).toBe(cold.digest);
    await validateImage(root, repository);
  }
  return typeof cold === "object" && cold !== null && "digest" in cold ? "built" : "refused";
}

/** A build whose files are exchanged while it runs, and are back when it has ended: whatever it comes to, it must not be kept for them. */
async function disturbed(world: World): Promise<void> {
  let restore = (): void => {};
  let isSwapped = false;
  await outcome({
    ...askedOf(world),
    cache: world.cache,
    onEvent({ kind }) {
      if (kind !== "step" || isSwapped) return;
      isSwapped = true;
      restore = swapContext(world);
    },
  });
  restore();
}

test(
  `${count} worlds from seed ${seed}, each changed ${rounds} times`,
  async () => {
    const worlds = Array.from({ length: count }, (_, number) => ({
      number: seed + number,
      world: makeWorld(join(place, String(seed + number)), bases, randomFrom(seed + number)),
      done: [] as string[],
    }));
    let built = 0;
    for (let round = 0; round <= rounds; round++) {
      for (const { world, done } of round === 0 ? [] : worlds)
        for (let more = 1 + world.random(2); more > 0; more--) done.push(change(world));
      // Files that were written just now are not trusted by their times.
      await sleep(2100);
      for (const { number, world, done } of worlds) {
        if (world.random(4) === 0) {
          done.push("exchanged during a build");
          await disturbed(world);
        }
        const tag = `${bench.registry.host}/world-${number}:1`;
        const result = await compare(world, tag).catch((cause: unknown) => {
          throw new Error(`World ${number}, after ${done.join(", ")}, in ${world.lines.join(" | ")}`, {
            cause,
          });
        });
        if (result === "built") built += 1;
      }
    }
    expect(built).toBeGreaterThan(worlds.length);
  },
  60_000 + count * 10_000,
);
