import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, memoryTree, type BuildOptions } from "@undocked/core";
import { contentOf, encodeJson, MediaType, memoryStore, readAll, UndockedError } from "@undocked/registry";
import { writeTar, type TarEntry, type TarHeader } from "@undocked/registry/tar";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bytesContent } from "../../packages/core/src/context/memory-tree.ts";
import { walkTree } from "../../packages/core/src/context/source-tree.ts";
import { indexLayer } from "../../packages/core/src/rootfs/index-layer.ts";
import { emptyRootFs } from "../../packages/core/src/rootfs/rootfs.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { makeImage, put } from "../support/make-image.ts";
import type { ReadImage } from "../support/read-image.ts";
import { findProgram } from "../support/tools.ts";

/* Attacks by what an image or an archive holds, mounted on all that reads one: FROM, COPY --from and ADD. */

let bench: Bench;
/** Of the host: what attacks are after, and what they would write to. */
let host: string;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), "undocked-attack-"));
  mkdirSync(join(host, "home"));
  writeFileSync(join(host, "home/secret"), "CANARY");
});
afterEach(() => rmSync(host, { recursive: true, force: true }));

function entry(path: string, fields: Partial<TarHeader> = {}, body = ""): TarEntry {
  const size = Buffer.byteLength(body);
  return {
    header: { path, kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size, ...fields },
    ...(size === 0 ? {} : { body: Buffer.from(body) }),
  };
}
const symlink = (path: string, linkTarget: string): TarEntry =>
  entry(path, { kind: "symlink", linkTarget, mode: 0o777 });
const hardlink = (path: string, linkTarget: string): TarEntry =>
  entry(path, { kind: "hardlink", linkTarget });
const folder = (path: string): TarEntry => entry(path, { kind: "directory", mode: 0o755 });

type Outcome = ReadImage | UndockedError;

/** Builds, and gives the image as the registry has it, or why there is none; anything else is a fault of ours. */
async function outcome(options: BuildOptions): Promise<Outcome> {
  try {
    return await bench.build({ executables: "any", preflight: "off", ...options });
  } catch (error) {
    if (error instanceof UndockedError) return error;
    throw error;
  }
}

/** What the entries do to a stage that has them as its base, and to a build that unpacks them as an archive. */
async function outcomes(entries: readonly TarEntry[]): Promise<readonly Outcome[]> {
  const evil = await bench.publish("evil", await makeImage({ layers: [entries] }));
  const archive = await readAll(writeTar(entries));
  const from = (text: string): Promise<Outcome> =>
    outcome({ dockerfile: { text }, context: memoryTree({ "a.tar": { content: archive }, f: "f" }) });
  return [
    await from(`FROM scratch\nCOPY --from=${evil} /loot /out/\n`),
    await from(`FROM scratch\nCOPY --from=${evil} / /out/\n`),
    await from(`FROM ${evil}\nCOPY f /loot/secret\n`),
    await from("FROM scratch\nADD a.tar /out/\n"),
  ];
}

/** Nothing of the host went into an image, and nothing of an image onto the host. */
function expectHeld(all: readonly Outcome[]): void {
  for (const one of all)
    if (!(one instanceof Error)) expect(JSON.stringify(one.layers)).not.toContain("CANARY");
  expect(readdirSync(host)).toEqual(["home"]);
  expect(readdirSync(join(host, "home"))).toEqual(["secret"]);
  expect(readFileSync(join(host, "home/secret"), "utf8")).toBe("CANARY");
}

const up = "../".repeat(30);

describe("links and names", () => {
  test.each([
    ["an absolute path of the host", () => `${host}/home/secret`],
    ["a way up", () => `${up}${host.slice(1)}/home/secret`],
    ["a way up behind a name", () => `a/${up}${host.slice(1)}/home/secret`],
  ])(
    "CVE-2026-50163 (GHSA-fxhp-mv3v-67qp), CVE-2026-23745, CVE-2026-24842: a hard link to %s brings nothing of the host",
    async (_, target) => {
      expectHeld(await outcomes([folder("a"), hardlink("loot", target())]));
    },
  );

  test.each([
    ["an absolute path of the host", () => `${host}/home`],
    ["a way up", () => `${up}${host.slice(1)}/home`],
  ])(
    "GHSA-m37j-52j7-pjw7, GHSA-8xwf-rjm4-xvhv, CVE-2026-23745: a symlink to %s is followed in the image only",
    async (_, target) => {
      expectHeld(
        await outcomes([
          symlink("loot", target()),
          entry("loot/secret", {}, "overwritten"),
          entry("loot/new"),
        ]),
      );
    },
  );

  test("CVE-2026-26960: a hard link through a chain of symlinks brings nothing of the host", async () => {
    const chain = [
      folder("a"),
      folder("a/b"),
      symlink("a/b/up", "../.."),
      symlink("one", "a/b/up/.."),
      symlink("two", `one/${up}`),
      hardlink("loot", `two${host}/home/secret`),
    ];
    expectHeld(await outcomes(chain));
  });

  test.each([
    ["a hard link", hardlink],
    ["a symlink", symlink],
  ])("CVE-2026-29786, CVE-2026-31802: %s relative to a drive is a name like any other", async (_, link) => {
    const all = await outcomes([link("loot", "C:../../../secret"), link("other", "C:\\..\\secret")]);
    expectHeld(all);
    if (link !== symlink) return;
    const [, whole] = all;
    expect(whole instanceof Error ? whole : whole?.layers[0]?.map(({ linkTarget }) => linkTarget)).toEqual(
      expect.arrayContaining(["C:../../../secret", "C:\\..\\secret"]),
    );
  });

  test("CVE-2026-23950: names that some file systems take for one are two", async () => {
    const names = ["stra\u00dfe", "strasse", "caf\u00e9", "cafe\u0301", "A", "a"];
    const [, whole] = await outcomes([
      ...names.map((name) => symlink(`${name}-link`, host)),
      ...names.map((name) => entry(name, {}, name)),
      folder("loot"),
    ]);
    const read = whole instanceof Error || whole === undefined ? [] : (whole.layers[0] ?? []);
    const files = read.filter(({ kind }) => kind === "file").map(({ path, text }) => [path, text] as const);
    expect(files).toHaveLength(names.length);
    expect(new Map(files)).toEqual(new Map(names.map((name) => [`out/${name}`, name])));
  });

  test("ggcr 2227, ggcr 2250: links with a way up that real images have still lead where they do", async () => {
    const [loot] = await outcomes([
      folder("usr/lib"),
      entry("usr/lib/real", {}, "kept"),
      symlink("loot", `${up}usr/lib/../lib/real`),
    ]);
    expect(loot instanceof Error ? loot : loot?.layers[0]?.at(-1)).toMatchObject({ text: "kept" });
  });

  test.each(["../../evil", "/../evil", "a/../../evil", "./../evil"])(
    "path traversal: a member %j stays in the image",
    async (name) => {
      const all = await outcomes([
        folder("loot"),
        entry(name, {}, "evil"),
        entry(`${up}${host.slice(1)}/evil`),
      ]);
      expectHeld(all);
      for (const one of all) {
        if (one instanceof Error) continue;
        // What was made here: a base's layers stay as they are.
        const paths = one.layers.at(-1)?.map(({ path }) => path) ?? [];
        expect(paths.filter((path) => path.startsWith("/") || path.split("/").includes(".."))).toEqual([]);
      }
    },
  );
});

describe("cost", () => {
  // Quadratic work would not end in the time that a test has.
  const many = 20_000;
  const numbers = Array.from({ length: many }, (_, index) => index);

  test.each<readonly [string, () => readonly TarEntry[]]>([
    ["files in one directory", () => numbers.map((at) => entry(`loot/${at}`))],
    ["times the same name", () => numbers.map(() => entry("loot/same"))],
    [
      "hard links to one file",
      () => [entry("loot/a"), ...numbers.map((at) => hardlink(`loot/${at}`, "loot/a"))],
    ],
    [
      "hard links to each other",
      () => [entry("loot/0"), ...numbers.slice(1).map((at) => hardlink(`loot/${at}`, `loot/${at - 1}`))],
    ],
    ["links to each other", () => numbers.map((at) => symlink(`loot/${at}`, `${at + 1}`))],
    ["whiteouts of nothing", () => [folder("loot"), ...numbers.map((at) => entry(`loot/.wh.${at}`))]],
    ["opaque marks", () => [folder("loot"), ...numbers.map(() => entry("loot/.wh..wh..opq"))]],
    [
      "changes of a directory and what is in it",
      () => numbers.map((at) => (at % 2 === 0 ? folder(`loot/${at % 100}`) : entry(`loot/${at % 100}/x`))),
    ],
  ])(
    "GHSA-rp3h-jf77-q9p4: a layer with 20,000 %s is read in a time that grows as it does",
    async (_, entries) => {
      const index = await indexLayer(contentOf(await readAll(writeTar(entries()))));
      const root = emptyRootFs();
      root.applyIndex(index, { open: () => bytesContent(new Uint8Array(0)) });
      let resolved = 0;
      for (const { path } of walkTree(root, "/")) {
        try {
          root.resolve(path);
          resolved += 1;
        } catch (error) {
          if (!(error instanceof UndockedError)) throw error;
        }
      }
      expect(resolved).toBeGreaterThan(0);
    },
  );

  const deep = "a/".repeat(2000);

  test.each<readonly [string, string, () => readonly TarEntry[]]>([
    [
      "paths whose directories it does not list",
      "directories of the paths",
      () => numbers.slice(0, 1000).map((at) => entry(`loot/${at}/${deep}x`)),
    ],
    [
      "extended attributes",
      "header records",
      () =>
        numbers.slice(0, 160).map((at) => entry(`loot/${at}`, { xattrs: { "user.a": Buffer.alloc(9e5) } })),
    ],
  ])(
    "GHSA-rp3h-jf77-q9p4: an image and an archive that hold memory by their %s are refused",
    async (...row) => {
      const [, message, entries] = row;
      const [, whole, , archive] = await outcomes([folder("loot"), ...entries()]);
      for (const one of [whole, archive])
        expect(one).toMatchObject({
          code: expect.stringMatching(/^(?:LAYER|TAR)_INVALID$/),
          message: expect.stringContaining(message),
        });
    },
  );

  test("GHSA-rp3h-jf77-q9p4: a layer whose members lead through its own links, far down and many times, is refused", async () => {
    const links = numbers.slice(0, 39).map((at) => symlink(`${deep}${at}`, `/${deep}${at + 1}`));
    const members = numbers.slice(0, 100).map((at) => entry(`loot/${at}/x`));
    const all = await outcomes([...links, folder(`${deep}39`), symlink("loot", `/${deep}0`), ...members]);
    expect(all[1]).toMatchObject({ code: "LAYER_INVALID", message: expect.stringContaining("links") });
  });

  test("GHSA-rp3h-jf77-q9p4: an image with one layer ten thousand times is refused", async () => {
    const store = memoryStore();
    const tar = await readAll(writeTar([entry("loot", {}, "x")]));
    const layer = await put(store, MediaType.ociLayer, tar);
    const times = Array.from({ length: 10_000 }, () => layer);
    const config = await put(
      store,
      MediaType.ociConfig,
      encodeJson({
        architecture: "amd64",
        os: "linux",
        rootfs: { type: "layers", diff_ids: times.map(({ digest }) => digest) },
      }),
    );
    const manifest = { schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: times };
    const root = await put(store, MediaType.ociManifest, encodeJson(manifest));
    const evil = await bench.publish("times", { root, store });
    const text = `FROM ${evil}\nCOPY f /f\n`;
    expect(await outcome({ dockerfile: { text }, context: memoryTree({ f: "f" }) })).toMatchObject({
      code: "MANIFEST_INVALID",
      message: expect.stringContaining("10000 layers"),
    });
  });

  const zeros = 256 * 1024 * 1024;
  const limit = 4 * 1024 * 1024;
  test.for(["gzip", "zstd", "xz", "bzip2"])(
    "zip bomb (%s): read up to the limit, and no further",
    async (program, { skip }) => {
      if (findProgram(program) === undefined) skip();
      const tar = Buffer.concat([
        (await readAll(writeTar([entry("big", {}, "x")]))).subarray(0, 512),
        Buffer.alloc(512),
      ]);
      tar.write(`${zeros.toString(8).padStart(11, "0")}\0`, 124);
      const sum = [...tar.subarray(0, 512).fill(32, 148, 156)].reduce((all, byte) => all + byte, 0);
      tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
      const bomb = execFileSync("sh", ["-c", `{ cat; head -c ${zeros} /dev/zero; } | ${program} -c`], {
        input: tar.subarray(0, 512),
        maxBuffer: 16 * 1024 * 1024,
      });
      expect(zeros / bomb.byteLength).toBeGreaterThan(100);
      let given = 0;
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (; given < bomb.byteLength; given += 256) yield bomb.subarray(given, given + 256);
      }
      const before = process.memoryUsage().rss;
      await expect(indexLayer(pieces(), { limits: { total: limit } })).rejects.toMatchObject({
        code: "TAR_INVALID",
      });
      expect(process.memoryUsage().rss - before).toBeLessThan(zeros / 2);
      if (program === "gzip") expect(given).toBeLessThan(bomb.byteLength / 2);
    },
  );
});

describe("labels, annotations and fields", () => {
  test("prototype: a layer of the type `constructor` stays one", async () => {
    const store = memoryStore();
    const tar = await readAll(writeTar([entry("loot", {}, "x")]));
    const layer = await put(store, "constructor", tar);
    const diffs = { type: "layers", diff_ids: [layer.digest] };
    const config = await put(
      store,
      MediaType.ociConfig,
      encodeJson({ architecture: "amd64", os: "linux", rootfs: diffs }),
    );
    const manifest = { schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: [layer] };
    const root = await put(store, MediaType.ociManifest, encodeJson(manifest));
    const evil = await bench.publish("types", { root, store });
    await using image = await buildImage({
      dockerfile: { text: `FROM ${evil}\nCOPY f /f\n` },
      context: memoryTree({ f: "f" }),
      cache: false,
      registry: bench.client,
      preflight: "off",
      executables: "any",
    });
    expect(image.manifest.layers[0]).toEqual(layer);
  });

  test("CVE-2026-53488: labels and annotations are texts, and nothing is done on their word", async () => {
    const labels = {
      "org.opencontainers.image.ref.name": `${up}${host.slice(1)}/evil`,
      "org.opencontainers.image.title": `${host}/evil`,
      "io.containerd.image.name": `${host}/evil`,
      "containerd.io/restart.loguri": `binary://${host}/evil`,
      "io.buildah.version": `$(touch ${host}/evil)`,
      "com.example": `\`touch ${host}/evil\`; touch ${host}/evil`,
      __proto__: "polluted",
    };
    const made = await makeImage({
      layers: [[entry("loot", {}, "x")]],
      config: { Labels: labels, Cmd: [`$(touch ${host}/evil)`], OnBuild: [`COPY ${host}/home/secret /s`] },
    });
    const evil = await bench.publish("labels", made);
    const output = join(host, "out");
    // ONBUILD is what a base may ask for; it is COPY from the context, never from the host.
    const asked = await outcome({
      dockerfile: { text: `FROM ${evil}\nLABEL own="$(touch ${host}/evil)"\nCOPY f /f\n` },
      context: memoryTree({ f: "f" }),
      outputs: [{ type: "oci-layout", path: output }],
    });
    rmSync(output, { recursive: true, force: true });
    expectHeld([asked]);
    const quiet = await bench.publish(
      "labels",
      await makeImage({ layers: [[entry("a")]], config: { Labels: labels } }),
    );
    const built = await outcome({
      dockerfile: { text: `FROM ${quiet}\nCOPY f /f\n` },
      context: memoryTree({ f: "f" }),
    });
    expect(built instanceof Error ? built : built.config.config?.Labels).toMatchObject({
      "com.example": labels["com.example"],
    });
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("polluted");
    expectHeld([built]);
  });
});
