import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkImage } from "@undocked/core";
import { file, link } from "../support/bases.ts";
import { makeImage } from "../support/make-image.ts";
import { buildElf } from "../support/tiny-elf.ts";
import { findProgram } from "../support/tools.ts";

/* What real interpreters do with the script that they are told to read, held against what is said of it. */

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-scripts-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

interface Script {
  readonly name: string;
  /** Files and links (`-> target`) in the working directory. */
  readonly files: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

const node: readonly Script[] = [
  { name: "a file", files: { "a.js": "" }, args: ["a.js"] },
  { name: "a file that is not there", files: {}, args: ["a.js"] },
  { name: "a name without its ending", files: { "a.js": "" }, args: ["a"] },
  { name: "a name without another ending", files: { "a.mjs": "" }, args: ["a"] },
  { name: "a name with a path", files: { "b/a.json": "{}" }, args: ["./b/a"] },
  { name: "a directory with an index", files: { "b/index.js": "" }, args: ["b"] },
  {
    name: "a directory with a package",
    files: { "b/package.json": '{"main":"x.js"}', "b/x.js": "" },
    args: ["b"],
  },
  { name: "a directory with nothing of it", files: { "b/other.js": "" }, args: ["b"] },
  { name: "options before it", files: { "a.js": "" }, args: ["--enable-source-maps", "-r", "fs", "a.js"] },
  { name: "options before what is not there", files: {}, args: ["--enable-source-maps", "-r", "fs", "a.js"] },
  { name: "a link to it", files: { "a.js": "", "l.js": "-> a.js" }, args: ["l.js"] },
  { name: "a link to nothing", files: { "l.js": "-> a.js" }, args: ["l.js"] },
  { name: "a text to run", files: {}, args: ["-e", "1"] },
];

const python: readonly Script[] = [
  { name: "a file", files: { "a.py": "" }, args: ["-u", "a.py"] },
  { name: "a file that is not there", files: {}, args: ["-u", "a.py"] },
  { name: "a directory with a main", files: { "b/__main__.py": "" }, args: ["b"] },
  { name: "a directory without", files: { "b/a.py": "" }, args: ["b"] },
  { name: "a text to run", files: {}, args: ["-c", "1"] },
];

const perl: readonly Script[] = [
  { name: "a file", files: { "a.pl": "" }, args: ["-w", "a.pl"] },
  { name: "a file that is not there", files: {}, args: ["-w", "a.pl"] },
];

const java: readonly Script[] = [
  { name: "a jar that is not there", files: {}, args: ["-Xmx64m", "-Da=b", "-jar", "a.jar"] },
];

const shell: readonly Script[] = [
  { name: "a file", files: { a: "exit 0\n" }, args: ["-e", "a"] },
  { name: "a file that is not there", files: {}, args: ["-e", "./a"] },
  { name: "a link to nothing", files: { a: "-> b" }, args: ["./a"] },
];

describe.each([
  ["node", process.execPath, node],
  ["python3", findProgram("python3"), python],
  ["perl", findProgram("perl"), perl],
  ["java", findProgram("java"), java],
  ["sh", findProgram("sh"), shell],
] as const)("%s reads", (name, program, scripts) => {
  const isMissing = program === undefined;

  test.skipIf(isMissing).each(scripts)("$name", { timeout: 60_000 }, async ({ files, args }) => {
    const directory = mkdtempSync(join(place, "case-"));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      if (content.startsWith("-> ")) symlinkSync(content.slice(3), join(directory, path));
      else writeFileSync(join(directory, path), content);
    }
    const { status } = spawnSync(program ?? "", args, { cwd: directory, timeout: 50_000, input: "" });
    expect(await judged(name, files, args)).toBe(status === 0);
  });
});

async function judged(
  name: string,
  files: Script["files"],
  args: readonly string[],
): Promise<boolean | undefined> {
  const entries = Object.entries(files).map(([path, content]) =>
    content.startsWith("-> ") ? link(`srv/${path}`, content.slice(3)) : file(`srv/${path}`, content),
  );
  const image = await makeImage({
    config: { Entrypoint: [`/usr/bin/${name}`], Cmd: [...args], WorkingDir: "/srv" },
    layers: [[file(`usr/bin/${name}`, buildElf({}), 0o755), ...entries]],
  });
  const [checked] = await checkImage(image.root, image.store);
  return checked?.proof.ok;
}
