import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { buildImage, directoryTree, type BuildOptions, type SourceTree } from "@undocked/core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { mergedUsrBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { randomBytes, validateImage } from "../support/random-image.ts";

/* A build that is given up at any moment ends at once, leaves nothing half-written, and loses nothing for the next. */

const moments = 50;
const seed = Number(process.env["UNDOCKED_ABORT_SEED"] ?? "20261121");

let bench: Bench;
let place: string;
let base: string;

beforeAll(async () => {
  bench = await startBench();
  base = await bench.publish("base", await mergedUsrBase());
  place = mkdtempSync(join(tmpdir(), "undocked-abort-"));
  const context = join(place, "context");
  mkdirSync(join(context, "many"), { recursive: true });
  for (let at = 0; at < 300; at += 1)
    writeFileSync(join(context, `many/${at}`), `${at} of 300\n`.repeat(100 + at), { mode: 0o644 });
  // Large enough to be sent while it is made.
  writeFileSync(join(context, "large"), randomBytes(1, 12 * 1024 * 1024), { mode: 0o644 });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

let builds = 0;

/** Each into a repository and to outputs of its own, over one cache. */
function build(options: BuildOptions = {}) {
  const to = join(place, "outputs", String((builds += 1)));
  mkdirSync(to, { recursive: true });
  const tag = `${bench.registry.host}/aborted-${builds}:1`;
  const made = (async () => {
    await using image = await buildImage({
      context: join(place, "context"),
      dockerfile: { text: `FROM ${base}\nCOPY many /many/\nCOPY large /srv/\n` },
      cache: join(place, "cache"),
      registry: bench.client,
      tags: [tag],
      push: true,
      outputs: [
        { type: "oci-layout", path: join(to, "layout") },
        { type: "oci-archive", path: join(to, "archive.tar") },
      ],
      ...options,
    });
    return image.digest;
  })();
  return { made, to, tag };
}

/** A generator of its own, so that the moments are the same on every machine: xorshift32. */
function* fractions(state: number): Generator<number, never, void> {
  for (;;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield (state >>> 0) / 2 ** 32;
  }
}

test(`given up at ${moments} random moments (seed ${seed})`, { timeout: 120_000 }, async () => {
  const expected = await build({ cache: false }).made;
  const fresh = (): void => rmSync(join(place, "cache"), { recursive: true, force: true });
  fresh();
  const began = performance.now();
  await build().made;
  const whole = performance.now() - began;
  const outcomes = { stopped: 0, done: 0 };
  const random = fractions(seed);
  for (let round = 0; round < moments; round += 1) {
    // Half of them begin with nothing.
    if (round % 2 === 0) fresh();
    const stop = new AbortController();
    const reason = new Error(`given up, round ${round}`);
    const { made, to, tag } = build({ signal: stop.signal });
    const outcome = made.then(
      (digest) => ({ digest }),
      (error: unknown) => ({ error }),
    );
    await Promise.race([sleep(random.next().value * whole), outcome]);
    stop.abort(reason);
    const ended = await outcome;
    if ("error" in ended) expect(ended.error, `round ${round}`).toBe(reason);
    else expect(ended.digest).toBe(expected);
    outcomes["error" in ended ? "stopped" : "done"] += 1;
    const written = readdirSync(to).sort();
    const all = ["archive.tar", "layout"];
    expect(all, `round ${round}`).toEqual(expect.arrayContaining(written));
    if ("digest" in ended) expect(written).toEqual(all);
    const repository = bench.client.repository(tag);
    // Whatever has the name is whole.
    const named = await repository.resolve("1").catch(() => undefined);
    if (named !== undefined) await validateImage(named, repository);
    if (round % 10 === 9) {
      const { made: again, tag: next } = build();
      expect(await again).toBe(expected);
      const other = bench.client.repository(next);
      await validateImage(await other.resolve("1"), other);
      const left = readdirSync(join(place, "cache"), { recursive: true, encoding: "utf8" });
      expect(left.filter((name) => /tmp|ingest\/./.test(name))).toEqual([]);
    }
  }
  expect(outcomes.stopped).toBeGreaterThan(moments / 2);
});

/** A tree that tells of each file that is opened. */
function watched(tree: SourceTree, onOpen: () => void): SourceTree {
  return {
    ...tree,
    open(path) {
      onOpen();
      return tree.open(path);
    },
  };
}

test(
  `without a cache, nothing is left among the temporary files (seed ${seed})`,
  { timeout: 60_000 },
  async () => {
    const temporary = join(place, "temporary");
    mkdirSync(temporary);
    vi.stubEnv("TMPDIR", temporary);
    const random = fractions(seed);
    let stopped = 0;
    try {
      for (let round = 0; round < moments; round += 1) {
        const stop = new AbortController();
        const reason = new Error(`given up, round ${round}`);
        let opens = Math.floor(random.next().value * 600);
        const turns = Math.floor(random.next().value * 40);
        const onOpen = async (): Promise<void> => {
          opens -= 1;
          if (opens !== 0) return;
          for (let turn = 0; turn < turns; turn += 1) await setImmediate();
          stop.abort(reason);
        };
        const context = watched(directoryTree(join(place, "context")), () => void onOpen());
        const built = buildImage({
          context,
          dockerfile: { text: "FROM scratch\nCOPY many /many/\nCOPY large /srv/\n" },
          cache: false,
          signal: stop.signal,
        });
        const error = await built.then(
          (image) => image[Symbol.asyncDispose](),
          (error: unknown) => error,
        );
        if (error !== undefined) {
          expect(error, `round ${round}`).toBe(reason);
          stopped += 1;
        }
        expect(readdirSync(temporary), `round ${round}`).toEqual([]);
      }
      // Nothing has come back, either.
      for (let turn = 0; turn < 1000; turn += 1) await setImmediate();
      expect(readdirSync(temporary)).toEqual([]);
      expect(stopped).toBeGreaterThan(moments / 2);
    } finally {
      vi.unstubAllEnvs();
    }
  },
);
