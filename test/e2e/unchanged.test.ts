import { execFile, execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildImage, memoryTree, type BuildEvent, type BuildOptions, type SourceTree } from "@undocked/core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mergedUsrBase, plainBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { validateImage } from "../support/random-image.ts";

/* A build in which nothing changed is answered from its record; whatever changed, it is not. */

let bench: Bench;
let place: string;
let context: string;
let base: string;
let runs = 0;

const changes: readonly [string, (root: string) => void, ("same" | "other")?][] = [
  ["a file's content", (root) => writeFileSync(join(root, "a.js"), "an other"), "other"],
  [
    "a file's content, its size and time kept",
    (root) => {
      writeFileSync(join(root, "a.js"), "SRC/A.js");
      utimesSync(join(root, "a.js"), 1_500_000_000, 1_500_000_000);
    },
    "other",
  ],
  ["a file's mode", (root) => chmodSync(join(root, "b.js"), 0o755), "other"],
  ["a directory's mode", (root) => chmodSync(join(root, "deep"), 0o700), "other"],
  ["a new file", (root) => writeFileSync(join(root, "deep/new"), ""), "other"],
  ["a file that went", (root) => unlinkSync(join(root, "deep/d.txt")), "other"],
  [
    "a link's target",
    (root) => {
      unlinkSync(join(root, "link"));
      symlinkSync("b.js", join(root, "link"));
    },
    "other",
  ],
  [
    "a file that became a directory",
    (root) => {
      unlinkSync(join(root, "b.js"));
      mkdirSync(join(root, "b.js"));
    },
    "other",
  ],
  ["a file's time", (root) => utimesSync(join(root, "b.js"), 1_500_000_000, 1_500_000_000), "same"],
  ["a file that no COPY takes", (root) => writeFileSync(join(root, "../beside"), "1"), "same"],
];

beforeAll(async () => {
  bench = await startBench();
  place = mkdtempSync(join(tmpdir(), "undocked-unchanged-"));
  context = join(place, "context");
  mkdirSync(join(context, "src/deep"), { recursive: true });
  mkdirSync(join(context, "logs"));
  for (const name of ["src/a.js", "src/b.js", "src/deep/c.js", "src/deep/d.txt", "logs/1"])
    writeFileSync(join(context, name), name, { mode: 0o644 });
  symlinkSync("a.js", join(context, "src/link"));
  for (const [name] of changes)
    cpSync(context, join(place, name), { recursive: true, verbatimSymlinks: true });
  const ignoring = join(place, "ignoring");
  mkdirSync(join(ignoring, "logs"), { recursive: true });
  for (const [name, text] of Object.entries({ ".dockerignore": "logs\n*.tmp\n", a: "a", "logs/1": "1" }))
    writeFileSync(join(ignoring, name), text, { mode: 0o644 });
  for (const [name, text] of Object.entries({ mapped: "one", swapped: "one", "swapped-other": "two" })) {
    mkdirSync(join(place, name, "src"), { recursive: true });
    writeFileSync(join(place, name, "src/a.js"), text, { mode: 0o644 });
    utimesSync(join(place, name, "src/a.js"), 1_500_000_000, 1_500_000_000);
  }
  execFileSync("mkfifo", [join(place, "mapped/src/pipe")]);
  // Files that were written just now are not trusted by their times.
  await sleep(2100);
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});
beforeEach(async () => {
  base = await bench.publish(`base-${(runs += 1)}`, await mergedUsrBase());
});

interface Published {
  readonly digest: string;
  /** What was asked of the registry. */
  readonly asked: readonly string[];
  readonly events: readonly BuildEvent[];
}

const dockerfile = (): string => `FROM ${base}\nCOPY src /app/\nWORKDIR /app\n`;

async function publish(options: BuildOptions = {}): Promise<Published> {
  const before = bench.registry.requests.length;
  const events: BuildEvent[] = [];
  const tag = `${bench.registry.host}/app-${runs}:1`;
  await using image = await buildImage({
    context,
    dockerfile: { text: dockerfile() },
    cache: join(place, `cache-${runs}`),
    registry: bench.client,
    tags: [tag],
    push: true,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const asked = bench.registry.requests.slice(before).map(({ method, path }) => `${method} ${path}`);
  return { digest: image.digest, asked, events };
}

/** What a build comes to that knows nothing of earlier ones. */
async function expected(options: BuildOptions = {}): Promise<string> {
  return (await publish({ ...options, cache: false, push: false })).digest;
}

const questions = (): string[] => [
  `HEAD /v2/app-${runs}/manifests/1`,
  `HEAD /v2/base-${runs}/manifests/latest`,
];

test("nothing changed: a request for the base's tag, one for its own, and the same is told", async () => {
  const first = await publish();
  const second = await publish();
  expect(second.digest).toBe(first.digest);
  expect([...second.asked].sort()).toEqual(questions());
  const kept = (events: readonly BuildEvent[]): readonly BuildEvent[] =>
    events.filter(({ kind }) => ["base", "step", "layer", "warning", "output"].includes(kind));
  expect(kept(second.events)).toEqual(kept(first.events));
});

test("with a base that is named by its digest it is one request, and nothing of the cache but the record", async () => {
  const [repository = ""] = base.split(/:latest$/);
  const { digest } = await bench.client.repository(base).resolve("latest");
  const text = `FROM ${repository}@${digest}\nCOPY src /app/\n`;
  const first = await publish({ dockerfile: { text } });
  const second = await publish({ dockerfile: { text } });
  expect(second).toMatchObject({ digest: first.digest, asked: [`HEAD /v2/app-${runs}/manifests/1`] });
});

test("the image can be read, and is made again for that", async () => {
  await publish();
  const cache = join(place, `cache-${runs}`);
  rmSync(join(cache, "content"), { recursive: true });
  const tag = `${bench.registry.host}/app-${runs}:1`;
  await using image = await buildImage({
    context,
    dockerfile: { text: dockerfile() },
    cache,
    registry: bench.client,
    tags: [tag],
    push: true,
  });
  expect(readdirSync(cache)).not.toContain("content");
  await validateImage(image.root, image.store);
  await validateImage(image.root, bench.client.repository(tag));
});

test("a place that does not have it gets it, of whatever kind", async () => {
  const { digest } = await publish();
  const elsewhere = `${bench.registry.host}/elsewhere-${runs}:2`;
  const pushed = await publish({ tags: [`${bench.registry.host}/app-${runs}:1`, elsewhere] });
  expect(pushed.digest).toBe(digest);
  expect((await bench.client.repository(elsewhere).resolve("2")).digest).toBe(digest);
  const layout = join(place, `layout-${runs}`);
  expect((await publish({ outputs: [{ type: "oci-layout", path: layout }], push: false })).digest).toBe(
    digest,
  );
  expect(readdirSync(layout)).toContain("index.json");
});

test("a tag that was moved is moved back", async () => {
  const { digest } = await publish();
  const other = await publish({ labels: { another: "image" } });
  expect(other.digest).not.toBe(digest);
  await publish();
  const repository = bench.client.repository(`${bench.registry.host}/app-${runs}`);
  expect((await repository.resolve("1")).digest).toBe(digest);
});

test("another base of the same name is seen", async () => {
  const first = await publish();
  await bench.publish(`base-${runs}`, await plainBase());
  const second = await publish();
  expect(second.digest).not.toBe(first.digest);
  expect(second.digest).toBe(await expected());
});

test.each(changes)("%s is seen", async (name, change, comesTo) => {
  const own = join(place, name);
  const root = join(own, "src");
  const first = await publish({ context: own });
  expect([...(await publish({ context: own })).asked].sort()).toEqual(questions());
  change(root);
  const second = await publish({ context: own });
  expect(second.digest).toBe(await expected({ context: own }));
  expect(second.digest === first.digest).toBe(comesTo === "same");
});

test("a base that is gone is told as by a build that has no record", async () => {
  const asked = { platforms: ["linux/amd64", "linux/arm64"], preflight: "off" } as const;
  await publish(asked);
  const removed = await fetch(`${bench.registry.url}/v2/base-${runs}/manifests/latest`, { method: "DELETE" });
  expect(removed.ok).toBe(true);
  const fault = (options: BuildOptions): Promise<unknown> =>
    publish(options).then(
      () => "none",
      ({ code, message, location, diagnostics }) => ({ code, message, location, diagnostics }),
    );
  const cold = await fault({ ...asked, cache: false });
  expect(cold).toMatchObject({ code: "MANIFEST_UNKNOWN" });
  expect(await fault(asked)).toEqual(cold);
});

test("options that make another image are another build", async () => {
  const { digest } = await publish();
  for (const options of [
    { labels: { a: "b" } },
    { buildArgs: { SOURCE_DATE_EPOCH: "1" } },
    { sourceDateEpoch: 7 },
    { entrypoint: { override: ["/app/a.js"] }, preflight: "off" },
    { compression: "none" },
    { platforms: ["linux/amd64", "linux/arm64"], preflight: "off" },
    { dockerfile: { text: `${dockerfile()}LABEL x=y\n` } },
  ] satisfies BuildOptions[]) {
    const other = await publish(options);
    expect(other.digest).not.toBe(digest);
    expect(other.digest).toBe(await expected(options));
    expect((await publish(options)).digest).toBe(other.digest);
  }
});

test("what a .dockerignore leaves out does not count; what it says does", async () => {
  const own = join(place, "ignoring");
  const text = `FROM ${base}\nCOPY . /app/\n`;
  const options = { context: own, dockerfile: { text } };
  const first = await publish(options);
  writeFileSync(join(own, "logs/2"), "2");
  writeFileSync(join(own, "x.tmp"), "2");
  expect([...(await publish(options)).asked].sort()).toEqual(questions());
  writeFileSync(join(own, ".dockerignore"), "*.tmp\n");
  const second = await publish(options);
  expect(second.digest).not.toBe(first.digest);
  expect(second.digest).toBe(await expected(options));
});

test("the time of a directory decides where the image has it: before the epoch that times are cut to", async () => {
  const directory = join(context, "src/deep");
  const asked = { sourceDateEpoch: 1_000_000_000 };
  utimesSync(directory, 1_100_000_000, 1_100_000_000);
  const first = await publish(asked);
  utimesSync(directory, 1_200_000_000, 1_200_000_000);
  expect([...(await publish(asked)).asked].sort()).toEqual(questions());
  utimesSync(directory, 900_000_000, 900_000_000);
  const second = await publish(asked);
  expect(second.digest).not.toBe(first.digest);
  expect(second.digest).toBe(await expected(asked));
});

test("a mapped file that is refused does not count where no COPY takes it", async () => {
  const asked = {
    project: join(place, "mapped"),
    files: [{ from: "src", to: "lib" }],
    dockerfile: { text: `FROM ${base}\nCOPY lib/*.js /app/\n` },
  };
  const first = await publish(asked);
  const second = await publish(asked);
  expect(second.digest).toBe(first.digest);
  expect([...second.asked].sort()).toEqual(questions());
});

test("a directory that takes another's place for a while is told, and not taken for that one later", async () => {
  const own = join(place, "swapped");
  const other = join(place, "swapped-other");
  const kept = join(place, "swapped-kept");
  let isSwapped = false;
  const swap = ({ kind }: BuildEvent): void => {
    if (kind !== "step" || isSwapped) return;
    isSwapped = true;
    renameSync(own, kept);
    renameSync(other, own);
  };
  await expect(publish({ context: own, onEvent: swap })).rejects.toMatchObject({ code: "FILE_CHANGED" });
  renameSync(own, other);
  renameSync(kept, own);
  expect((await publish({ context: own })).digest).toBe(await expected({ context: own }));
});

test("a warning is told each time, and a fault is told each time", async () => {
  const text = `FROM ${base}\nCOPY src /app/\nENTRYPOINT ["/nowhere"]\n`;
  const options = { dockerfile: { text }, preflight: "warn" } as const;
  const warnings = ({ events }: Published): BuildEvent[] => events.filter(({ kind }) => kind === "warning");
  const first = await publish(options);
  expect(warnings(first).length).toBeGreaterThan(0);
  expect(warnings(await publish(options))).toEqual(warnings(first));
  for (const _ of [1, 2])
    await expect(publish({ ...options, preflight: "error" })).rejects.toMatchObject({
      code: "ENTRYPOINT_NOT_FOUND",
    });
});

/** Of memory: what a program writes there through a mapping of a file moves its times once at most. */
const MEMORY = "/dev/shm";
const canMap = existsSync(MEMORY) && spawnSync("python3", ["--version"]).status === 0;

test.skipIf(!canMap)("with verify: content nothing is believed (needs: /dev/shm, python3)", async () => {
  const own = mkdtempSync(join(MEMORY, "undocked-unchanged-"));
  const file = join(own, "src/a.js");
  mkdirSync(join(own, "src"));
  writeFileSync(file, "one", { mode: 0o644 });
  const script =
    "import mmap, sys; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0); m[:] = b'one'; print(); sys.stdin.read(); m[:] = b'two'";
  const writer = execFile("python3", ["-uc", script, file]);
  try {
    const ended = once(writer, "exit");
    if (writer.stdout !== null) await Promise.race([once(writer.stdout, "data"), ended]);
    // Files that were written just now are not trusted by their times.
    await sleep(2100);
    const first = await publish({ context: own });
    expect([...(await publish({ context: own })).asked].sort()).toEqual(questions());
    const before = statSync(file);
    writer.stdin?.end();
    await ended;
    expect(statSync(file)).toMatchObject({ mtimeMs: before.mtimeMs, ctimeMs: before.ctimeMs });
    // The times are believed; so it is known what is not believed below.
    expect((await publish({ context: own })).digest).toBe(first.digest);
    for (const _ of [1, 2]) {
      const { digest } = await publish({ context: own, verify: "content" });
      expect(digest).not.toBe(first.digest);
      expect(digest).toBe(await expected({ context: own, verify: "content" }));
    }
  } finally {
    writer.kill();
    rmSync(own, { recursive: true, force: true });
  }
});

test("for several platforms it is the same, and each proof is there", async () => {
  const options = { platforms: ["linux/amd64", "linux/arm64"], preflight: "warn" } as const;
  const tag = `${bench.registry.host}/app-${runs}:1`;
  const build = (): ReturnType<typeof buildImage> =>
    buildImage({
      ...options,
      context,
      dockerfile: { text: dockerfile() },
      cache: join(place, `cache-${runs}`),
      registry: bench.client,
      tags: [tag],
      push: true,
    });
  await using first = await build();
  await using second = await build();
  const data = ({ store: _, ...image }: typeof first): unknown => JSON.parse(JSON.stringify(image));
  expect(data(second)).toEqual(data(first));
});

test("a build that fails leaves no look at its context behind", async () => {
  const names = Array.from({ length: 20_000 }, (_, at) => `/many/${at}`);
  const tree = memoryTree(Object.fromEntries(names.map((name) => [name, { content: "" }])));
  let isOver = false;
  let late = 0;
  const context: SourceTree = {
    ...tree,
    lstat(path) {
      if (isOver) late += 1;
      return tree.lstat(path);
    },
  };
  const registry = { retry: { retries: 0 } };
  const failing = publish({
    context,
    registry,
    dockerfile: { text: "FROM scratch\nCOPY many /many\n" },
    tags: ["127.0.0.1:1/app:1"],
  });
  await expect(failing).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  isOver = true;
  await sleep(50);
  expect(late).toBe(0);
});
