import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ociLayout } from "@undocked/registry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCacheBench, type CacheBench } from "../support/cache-bench.ts";
import { runCli } from "../support/cli.ts";
import { joinCli } from "../support/joined-cli.ts";
import { randomFrom } from "../support/library-layout.ts";
import { validateImage } from "../support/random-image.ts";

/* Whenever builds are killed, what they leave behind is never wrong. `UNDOCKED_KILLS=200 UNDOCKED_KILL_SEED=7` kills more, and others. */

const seed = Number(process.env["UNDOCKED_KILL_SEED"] ?? "20261121");
const kills = Number(process.env["UNDOCKED_KILLS"] ?? "24");

const phases = ["starting", "opening bases", "making layers", "delivering"] as const;
type Phase = (typeof phases)[number];

/** What a build that tells of it last is doing. */
const phaseOfEvent: Readonly<Record<string, Phase>> = {
  base: "opening bases",
  index: "opening bases",
  step: "making layers",
  layer: "making layers",
  stream: "making layers",
  progress: "delivering",
  content: "delivering",
  output: "delivering",
};

let cache: CacheBench;
let bin: string;
const expected: string[] = [];

beforeAll(async () => {
  cache = await startCacheBench({ large: 4_000_000, imageFiles: 1500 });
  bin = await joinCli(join(cache.place, "cli"));
  for (const [number, text] of [cache.text, cache.recordable].entries()) {
    writeFileSync(join(cache.place, `${number}.Dockerfile`), text);
    const { code, stdout, stderr } = await runCli([...buildOf(number), "--quiet", "--no-cache"], { bin });
    if (code !== 0) throw new Error(stderr);
    expected.push(stdout.trim());
  }
});
afterAll(() => cache[Symbol.asyncDispose]());

/** The command line of one of the two images; the second has a record. */
function buildOf(number: number): readonly string[] {
  return ["build", cache.context, "--file", join(cache.place, `${number}.Dockerfile`)];
}

interface Killing {
  /** Which image. */
  readonly number: number;
  readonly directory: string;
  /** Output flags. */
  readonly delivery: readonly string[];
  /** Waits for the moment; is told of each phase when it begins. */
  readonly moment: (begun: (phase: Phase) => Promise<void>) => Promise<void>;
}

interface Killed {
  /** What was under way; `ended` when the build was faster. */
  readonly phase: Phase | "ended";
  /** Milliseconds from its start to the begin of each phase, and to its end. */
  readonly begins: ReadonlyMap<Phase | "ended", number>;
}

/** Runs a build until the moment has come. */
async function runAndKill({ number, directory, delivery, moment }: Killing): Promise<Killed> {
  const args = [bin, ...buildOf(number), "--progress=json", "--cache-dir", directory, ...delivery];
  const begins = new Map<Phase | "ended", number>([["starting", 0]]);
  const waiting = new Map<Phase, () => void>();
  const started = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let phase: Phase = "starting";
  let rest = "";
  /** Other than events. */
  const told: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("{")) {
        told.push(line);
        continue;
      }
      const { kind }: { kind: string } = JSON.parse(line);
      phase = phaseOfEvent[kind] ?? phase;
      if (!begins.has(phase)) begins.set(phase, performance.now() - started);
      waiting.get(phase)?.();
    }
  });
  const code = new Promise<number | null>((resolve) => child.once("close", resolve));
  const begun = (wanted: Phase): Promise<void> =>
    wanted === "starting" ? Promise.resolve() : new Promise((resolve) => waiting.set(wanted, resolve));
  await Promise.race([moment(begun), code]);
  child.kill("SIGKILL");
  const ended = await code;
  begins.set("ended", performance.now() - started);
  // One that is not killed is made.
  expect([[], [0, null]], told.join("\n")).toEqual([told, expect.arrayContaining([ended])]);
  return { phase: ended === 0 ? "ended" : phase, begins };
}

let outputs = 0;

/** Into a layout, or to a repository; what is there must be whole, or nothing. */
function delivery(kind: "layout" | "push"): {
  readonly flags: readonly string[];
  readonly check: (digest: string) => Promise<"there" | "not there">;
} {
  const name = `${kind}-${(outputs += 1)}`;
  const path = join(cache.place, name);
  const tag = `${cache.bench.registry.host}/${name}:1`;
  const repository = cache.bench.client.repository(tag);
  const store = kind === "layout" ? ociLayout(path) : repository;
  return {
    flags: kind === "layout" ? ["--output", `type=oci-layout,dest=${path}`] : ["--push", "--tag", tag],
    async check(digest) {
      const root = await store.resolve(kind === "layout" ? "latest" : "1").catch(() => undefined);
      if (root !== undefined) {
        expect(root.digest).toBe(digest);
        await validateImage(root, store);
      }
      // Of a layout that was not finished there is something beside it.
      for (const left of readdirSync(cache.place))
        if (left.startsWith(name)) rmSync(join(cache.place, left), { recursive: true });
      return root === undefined ? "not there" : "there";
    },
  };
}

/** Both images, built at once with one cache, are what they are without. */
async function checkCache(directory: string, round: number): Promise<void> {
  await Promise.all(
    expected.map(async (digest, number) => {
      const { flags, check } = delivery((number + round) % 2 === 0 ? "layout" : "push");
      const args = [...buildOf(number), "--quiet", "--cache-dir", directory, ...flags];
      const { code, stdout, stderr } = await runCli(args, { bin });
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout.trim().replace(/^.*@/, "")).toBe(digest);
      expect(await check(digest)).toBe("there");
    }),
  );
}

test(
  `killed at ${kills} random moments, two builds at a time: the cache is never wrong (seed ${seed})`,
  { timeout: 60_000 + kills * 6000 },
  async () => {
    const random = randomFrom(seed | 1);
    /** From 0 to below 1. */
    const fraction = (): number => random(1 << 30) / (1 << 30);
    const directory = join(cache.place, "killed");
    const never = (): Promise<void> => new Promise(() => {});

    // How long it takes here, two at a time: with nothing at hand, and then with all.
    const runBoth = (): Promise<readonly Killed[]> =>
      Promise.all(
        [0, 1].map((number) =>
          runAndKill({ number, directory, delivery: delivery("layout").flags, moment: never }),
        ),
      );
    const cold = await runBoth();
    const warm = await runBoth();
    const begin = (phase: Phase | "ended", runs = cold): number =>
      Math.max(...runs.map(({ begins }) => begins.get(phase) ?? 0));
    const lasts = (phase: Phase): number =>
      begin(phases[phases.indexOf(phase) + 1] ?? "ended") - begin(phase);
    rmSync(directory, { recursive: true });

    const hit = new Map<Phase | "ended", number>();
    let killed = 0;
    let halves = 0;
    const figures = (): string => [...hit].map(([phase, count]) => `${phase} ${count}`).join(", ");
    // At least as many as are asked for, and in each phase.
    for (let round = 0; killed < kills || !phases.every((phase) => hit.has(phase)); round += 1) {
      if (round > 2 * kills) throw new Error(`too few were killed in time: ${figures()}`);
      const phase = phases[round % phases.length] ?? "starting";
      // As pruning may: else there would be next to nothing to open.
      if (phase === "opening bases") rmSync(join(directory, "indexes"), { recursive: true, force: true });
      const found = await Promise.all(
        [0, 1].map(async (at) => {
          const number = random(2);
          const { flags, check } = delivery(random(2) === 0 ? "layout" : "push");
          const share = fraction();
          const whole = random(2) === 0 || !existsSync(directory) ? cold : warm;
          const { phase: found } = await runAndKill({
            number,
            directory,
            delivery: flags,
            // One by the clock, wherever that is; the other in a phase, so that each has its turn.
            moment: async (begun) => {
              if (at === 0) return await sleep(share * begin("ended", whole));
              await begun(phase);
              // Where all is at hand it lasts less: every other kill is at its begin.
              if (share > 0.5) await sleep((2 * share - 1) * lasts(phase));
            },
          });
          await check(expected[number] ?? "");
          return found;
        }),
      );
      for (const phase of found) {
        hit.set(phase, (hit.get(phase) ?? 0) + 1);
        if (phase !== "ended") killed += 1;
      }
      if (leftHalf(directory)) halves += 1;
      // Some begin with nothing, others with what several left behind, and others with a whole cache.
      const next = random(4);
      if (next > 0) await checkCache(directory, round);
      if (next > 1) rmSync(directory, { recursive: true });
    }
    await checkCache(directory, 0);
    process.stdout.write(`killed while ${figures()}; ${halves} times something was left half-written\n`);
  },
);

test("six builds that begin at once with nothing at hand are all made", async () => {
  const context = join(cache.place, "small");
  mkdirSync(context);
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n");
  const build = (...flags: readonly string[]) => runCli(["build", context, "--quiet", ...flags], { bin });
  const { stdout: digest } = await build("--no-cache");
  const made = { code: 0, stdout: digest, stderr: "" };
  for (let round = 0; round < 6; round += 1) {
    const flag = `--cache-dir=${join(cache.place, `at-once-${round}`)}`;
    const runs = await Promise.all(Array.from({ length: 6 }, () => build(flag)));
    expect(runs).toEqual(runs.map(() => made));
  }
});

/** Whether something that was being written is left. */
function leftHalf(directory: string): boolean {
  return (
    existsSync(directory) &&
    readdirSync(directory, { recursive: true }).some((name) => String(name).endsWith(".tmp"))
  );
}
