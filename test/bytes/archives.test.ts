import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UndockedError } from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { directoryTree } from "../../packages/core/src/context/directory-tree.ts";
import { layerFiles, type LayerFiles } from "../../packages/core/src/layer/layer-files.ts";
import { add } from "../../packages/core/src/rootfs/copy.ts";
import { emptyRootFs } from "../../packages/core/src/rootfs/rootfs.ts";
import { findProgram } from "../support/tools.ts";

/* ADD of archives that other programs wrote, sound and damaged: what BuildKit 0.34 was seen to do with each. */

const noTar = findProgram("tar") === undefined;

let directory: string;
/** What GNU tar unpacks. */
let files: Record<string, string>;
let small: Buffer;
let large: Buffer;
let largeFiles: Record<string, string>;
beforeAll(() => {
  if (noTar) return;
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
  mkdirSync(join(directory, "tree/sub"), { recursive: true });
  writeFileSync(join(directory, "tree/a"), "aaa\n");
  writeFileSync(join(directory, "tree/sub/b"), "b".repeat(3000));
  small = tarOf("tree");
  files = unpacked(small);
  writeFileSync(
    join(directory, "tree/zz"),
    Buffer.concat(Array.from({ length: 32_768 }, (_, at) => sha256(`${at}`))),
  );
  large = tarOf("tree");
  largeFiles = unpacked(large);
});
afterAll(() => {
  if (!noTar) rmSync(directory, { recursive: true, force: true });
});

function sha256(content: string | Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}

function tarOf(path: string, ...options: string[]): Buffer {
  const plain = ["-C", directory, "--sort=name", "--mtime=@0", "--owner=0", "--group=0"];
  return execFileSync("tar", [...plain, ...options, "-cf", "-", path], { maxBuffer: 64 * 1024 * 1024 });
}

function unpacked(tar: Uint8Array): Record<string, string> {
  const out = mkdtempSync(join(directory, "out-"));
  execFileSync("tar", ["-xf", "-", "-C", out], { input: tar });
  const paths = readdirSync(out, { recursive: true, encoding: "utf8" });
  const found = paths
    .filter((path) => statSync(join(out, path)).isFile())
    .map((path) => [`x/${path}`, sha256(readFileSync(join(out, path))).toString("hex")]);
  return Object.fromEntries(found);
}

function compress(program: string, input: Uint8Array, ...options: string[]): Buffer {
  return execFileSync(program, ["-c", ...options], { input, maxBuffer: 64 * 1024 * 1024 });
}

/** The image's files after `ADD archive /x/`, or the code of the error. */
async function added(archive: Uint8Array): Promise<Record<string, string> | string> {
  const context = mkdtempSync(join(directory, "context-"));
  writeFileSync(join(context, "archive"), archive);
  const held: LayerFiles[] = [];
  try {
    const entries = await add(emptyRootFs(), {
      sources: [{ kind: "path", tree: directoryTree(context), path: "archive" }],
      destination: "/x/",
      match: () => false,
      now: 0,
      archives(file) {
        const content = layerFiles(() => file.stream());
        held.push(content);
        return content;
      },
    });
    const found: Record<string, string> = {};
    for (const entry of entries) {
      if (entry.kind !== "file") continue;
      const hash = createHash("sha256");
      for await (const chunk of entry.content.stream()) hash.update(chunk);
      found[entry.path] = hash.digest("hex");
    }
    return found;
  } catch (error) {
    if (error instanceof UndockedError) return error.code;
    throw error;
  } finally {
    for (const content of held) await content[Symbol.asyncDispose]();
  }
}

function changed(bytes: Buffer, from: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = from < 0 ? bytes.byteLength + from : from;
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

const zeros = Buffer.alloc(512);
const text = Buffer.from("text that follows\n");

interface Case {
  readonly title: string;
  readonly make: (compressed: (tar: Uint8Array, ...options: string[]) => Buffer) => Buffer;
  /** Default: unpacked as GNU tar unpacks the small tar. */
  readonly becomes?: "large" | "copied" | "LAYER_INVALID";
  /** In other programs it is something else, or cannot be. */
  readonly only?: readonly string[];
}

const halves = (compressed: (tar: Uint8Array) => Buffer, between: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([compressed(small.subarray(0, 1500)), between, compressed(small.subarray(1500))]);

const cases: readonly Case[] = [
  { title: "as it is", make: (compressed) => compressed(small) },
  { title: "in two parts", make: (compressed) => halves(compressed) },
  {
    title: "behind an empty part",
    make: (compressed) => Buffer.concat([compressed(Buffer.alloc(0)), compressed(small)]),
    only: ["gzip", "xz", "zstd"],
  },
  {
    title: "before another tar",
    make: (compressed) => Buffer.concat([compressed(small), compressed(large)]),
  },
  { title: "with text behind", make: (compressed) => Buffer.concat([compressed(small), text]) },
  { title: "with zeros behind", make: (compressed) => Buffer.concat([compressed(small), zeros]) },
  {
    title: "with three zeros behind",
    make: (compressed) => Buffer.concat([compressed(small), zeros.subarray(0, 3)]),
  },
  {
    title: "with half a part behind",
    make: (compressed) => Buffer.concat([compressed(small), compressed(small).subarray(0, 15)]),
  },
  { title: "large", make: (compressed) => compressed(large), becomes: "large" },
  {
    title: "large, with text behind",
    make: (compressed) => Buffer.concat([compressed(large), text]),
    becomes: "large",
    // Node's own zstd may lose the end with the fault.
    only: ["gzip", "xz", "bzip2"],
  },
  {
    title: "large and cut in the middle",
    make: (compressed) => compressed(large).subarray(0, 500_000),
    becomes: "LAYER_INVALID",
    only: ["gzip", "xz"],
  },
  { title: "of no tar", make: (compressed) => compressed(text), becomes: "copied" },
  { title: "of an empty tar", make: (compressed) => compressed(Buffer.alloc(10_240)), becomes: "copied" },
  {
    title: "cut before its first header",
    make: (compressed) => compressed(small).subarray(0, 40),
    becomes: "copied",
  },

  { title: "a wrong checksum", make: (compressed) => changed(compressed(small), -8), only: ["gzip"] },
  { title: "a wrong length", make: (compressed) => changed(compressed(small), -4), only: ["gzip"] },
  { title: "no trailer", make: (compressed) => compressed(small).subarray(0, -8), only: ["gzip"] },
  { title: "half a trailer", make: (compressed) => compressed(small).subarray(0, -4), only: ["gzip"] },
  {
    title: "a wrong checksum, large",
    make: (compressed) => changed(compressed(large), -8),
    becomes: "large",
    only: ["gzip"],
  },
  {
    title: "a wrong checksum of a part that the tar goes on behind",
    make: (compressed) =>
      Buffer.concat([changed(compressed(small.subarray(0, 1500)), -8), compressed(small.subarray(1500))]),
    becomes: "LAYER_INVALID",
    only: ["gzip"],
  },

  ...["none", "crc32", "crc64", "sha256"].map((check) => ({
    title: `with the check ${check}`,
    make: (compressed: (tar: Uint8Array, ...options: string[]) => Buffer) =>
      compressed(small, `--check=${check}`),
    only: ["xz"],
  })),
  ...["x86", "arm", "armthumb", "arm64", "powerpc", "sparc", "ia64", "delta=dist=4"].map((filter) => ({
    title: `with the filter ${filter}`,
    make: (compressed: (tar: Uint8Array, ...options: string[]) => Buffer) =>
      compressed(large, `--${filter}`, "--lzma2"),
    becomes: "large" as const,
    only: ["xz"],
  })),
  {
    title: "with a dictionary of 1.5 GiB",
    make: (compressed) => compressed(large, "--lzma2=dict=1536MiB"),
    becomes: "large",
    only: ["xz"],
  },
  {
    title: "in blocks",
    make: (compressed) => compressed(large, "--block-size=10000"),
    becomes: "large",
    only: ["xz"],
  },
  {
    title: "four zeros between its parts",
    make: (compressed) => halves(compressed, zeros.subarray(0, 4)),
    only: ["xz"],
  },
  {
    title: "three zeros between its parts",
    make: (compressed) => halves(compressed, zeros.subarray(0, 3)),
    becomes: "LAYER_INVALID",
    only: ["xz"],
  },
  { title: "a wrong check", make: (compressed) => changed(compressed(small), -36), only: ["xz"] },
  { title: "a wrong footer", make: (compressed) => changed(compressed(small), -5), only: ["xz"] },
  { title: "no footer", make: (compressed) => compressed(small).subarray(0, -12), only: ["xz"] },

  { title: "a wrong checksum of all", make: (compressed) => changed(compressed(small), -3), only: ["bzip2"] },
  { title: "an end that is cut", make: (compressed) => compressed(small).subarray(0, -4), only: ["bzip2"] },
];

for (const program of ["gzip", "xz", "bzip2", "zstd"]) {
  describe.skipIf(noTar || findProgram(program) === undefined)(`ADD of a tar in ${program}`, () => {
    test.each(cases.filter(({ only }) => only?.includes(program) !== false))(
      "$title",
      async ({ make, becomes }) => {
        const archive = make((tar, ...options) => compress(program, tar, ...options));
        const whole = { "x/archive": sha256(archive).toString("hex") };
        const expected =
          becomes === undefined
            ? files
            : becomes === "large"
              ? largeFiles
              : becomes === "copied"
                ? whole
                : becomes;
        expect(await added(archive)).toEqual(expected);
      },
    );
  });
}

describe.skipIf(noTar)("ADD of a tar", () => {
  const end = (): number => small.byteLength - trailingZeros(small);
  test.each([
    ["without end blocks", () => small.subarray(0, Math.ceil(end() / 512) * 512), undefined],
    ["with one end block", () => small.subarray(0, Math.ceil(end() / 512) * 512 + 512), undefined],
    ["with text behind", () => Buffer.concat([small, text]), undefined],
    ["before another", () => Buffer.concat([small, large]), undefined],
    ["cut in a file", () => small.subarray(0, end() - 500), "TAR_INVALID"],
    ["cut in a header", () => small.subarray(0, 600), "TAR_INVALID"],
    [
      "with rubbish in place of a header",
      () => Buffer.concat([small.subarray(0, 512), Buffer.alloc(1024, "x")]),
      "TAR_INVALID",
    ],
    ["that begins with an unknown type", () => ofType(small, "V"), "TAR_INVALID"],
  ] as const)("%s", async (_, make, code) => {
    expect(await added(make())).toEqual(code ?? files);
  });

  test("of sparse files of GNU's old form is refused, also where one comes first", async () => {
    writeSparse(join(directory, "holes"));
    expect(await added(tarOf("holes", "--format=gnu", "--sparse"))).toBe("TAR_INVALID");
    expect(
      await added(Buffer.concat([small.subarray(0, 512), tarOf("holes", "--format=gnu", "--sparse")])),
    ).toBe("TAR_INVALID");
  });

  test.each(["0.0", "0.1", "1.0"])("of sparse files of pax, version %s", async (version) => {
    writeSparse(join(directory, "holes"));
    const tar = tarOf("holes", "--format=posix", "--sparse", `--sparse-version=${version}`);
    expect(tar.byteLength).toBeLessThan(100_000);
    expect(await added(tar)).toEqual(unpacked(tar));
    expect(await added(compress("gzip", tar))).toEqual(unpacked(tar));
  });
});

function trailingZeros(bytes: Uint8Array): number {
  let count = 0;
  while (bytes[bytes.byteLength - 1 - count] === 0) count += 1;
  return count;
}

function ofType(tar: Buffer, type: string): Buffer {
  const copy = Buffer.from(tar);
  copy.write(type, 156);
  copy.fill(32, 148, 156);
  const sum = copy.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return copy;
}

/** Holes first, last and between. */
function writeSparse(path: string): void {
  if (existsSync(path)) return;
  const file = openSync(path, "w");
  ftruncateSync(file, 4 * 1024 * 1024);
  for (let at = 1; at < 20; at++) writeSync(file, `${at}`.repeat(1000), at * 131_072);
  closeSync(file);
}
