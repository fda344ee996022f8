import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkImage } from "@undocked/core";
import type { ContainerConfig } from "@undocked/registry";
import type { TarEntry } from "@undocked/registry/tar";
import { directory, file, link } from "../support/bases.ts";
import { makeImage, type MadeImage } from "../support/make-image.ts";
import { runImage } from "../support/run-image.ts";
import { buildElf } from "../support/tiny-elf.ts";
import { findProgram, lacks, lacksRoot } from "../support/tools.ts";

/* Programs that start others know more ways to find them than PATH: what may start is never refused. */

const program = (path: string): TarEntry => file(path, buildElf({}), 0o755);
const loader = "lib64/ld-linux-x86-64.so.2";

function image(entries: readonly TarEntry[], config: ContainerConfig): Promise<MadeImage> {
  return makeImage({ layers: [[directory("bin"), ...entries]], config });
}

async function found({ root, store }: MadeImage): Promise<readonly string[]> {
  const [checked] = await checkImage(root, store);
  return (checked?.proof.findings ?? []).map(({ severity, code }) => `${severity} ${code}`);
}

describe("a shell that reads start-up files", () => {
  const shells = [program("bin/bash"), program("bin/sh"), program("opt/bin/app")];
  const judged = async (argv: readonly string[], Env: readonly string[] = []) =>
    found(await image(shells, { Entrypoint: [...argv], Env: [...Env] }));

  test.each<[argv: readonly string[], env?: readonly string[]]>([
    [["bash", "-lc", "app x"]],
    [["sh", "-lc", "app x"]],
    [["bash", "--login", "-c", "app x"]],
    [["bash", "--login", "-c", "exec app x"]],
    [["bash", "-ic", "app x"]],
    [["bash", "-c", "app x"], ["BASH_ENV=/e"]],
    [["sh", "-ic", "app x"], ["ENV=/e"]],
    [["bash", "-c", "app x"], ["BASH_FUNC_app%%=() { exec /opt/bin/app; }"]],
    // It may go to another directory too.
    [["bash", "-lc", "./app x"]],
  ])("may find in another PATH what the image's has not: %j %j", async (argv, env) => {
    expect(await judged(argv, env)).toEqual(["warning ENTRYPOINT_NOT_FOUND"]);
  });

  test.each<[argv: readonly string[], env?: readonly string[]]>([
    [["bash", "-c", "app x"]],
    [
      ["sh", "-c", "app x"],
      ["BASH_ENV=/e", "ENV=/e"],
    ],
    [["bash", "--login", "--noprofile", "-c", "app x"]],
    [["bash", "-c", "app x"], ["BASH_FUNC_other%%=() { exec /opt/bin/app; }"]],
    // A path is the same in every PATH.
    [["bash", "-lc", "/app x"]],
  ])("is refused where it reads none, or none can help: %j %j", async (argv, env) => {
    expect(await judged(argv, env)).toEqual(["error ENTRYPOINT_NOT_FOUND"]);
  });

  test("may be told there to read another script", async () => {
    expect(await judged(["bash", "-l", "start.sh"])).toEqual(["warning SCRIPT_NOT_FOUND"]);
    expect(await judged(["bash", "-l", "/start.sh"])).toEqual(["error SCRIPT_NOT_FOUND"]);
  });

  test("may say where libraries are", async () => {
    const interpreter = `/${loader}`;
    const dynamic = file("app", buildElf({ pie: true, interpreter, needed: ["liba.so"] }), 0o755);
    const entries = [...shells, dynamic, file(loader, buildElf({ soname: "ld-linux-x86-64.so.2" }), 0o755)];
    const start = async (flag: string) =>
      found(await image(entries, { Entrypoint: ["/bin/bash", flag, "/app"] }));
    expect(await start("-c")).toEqual(["error LIBRARY_MISSING"]);
    expect(await start("-lc")).toEqual(["warning LIBRARY_MISSING"]);
  });
});

describe("env -S", () => {
  const judged = async (line: string, Env: readonly string[] = ["PATH=/opt/bin"]) =>
    found(
      await image([program("bin/env"), program("opt/bin/app"), file("s", `#!/bin/env ${line}\n`, 0o755)], {
        Entrypoint: ["/s"],
        Env: [...Env],
      }),
    );

  test.each([
    ["a value with a blank", '-S FOO="bar baz" app'],
    ["a PATH of its own", "-S JAVA_OPTS='-Xa -Xb' PATH=/opt/bin app", "PATH=/bin"],
    ["a variable", "-S ${OPT}/bin/app", "OPT=/opt"],
  ])("finds its program behind %s", async (_, line, ...env) => {
    expect(await judged(line, env.length === 0 ? undefined : env)).toEqual([]);
  });

  test("is not told that the kernel gives it one argument", async () => {
    expect(await judged("-S 'bar baz' app")).toEqual(["error SCRIPT_INTERPRETER_MISSING"]);
    expect(await judged("bar baz")).toEqual(["error SCRIPT_ENV_ARGUMENTS"]);
  });

  test("may get another value for a variable", async () => {
    expect(await judged("-S ${OPT}/bin/app", ["OPT=/srv"])).toEqual(["warning SCRIPT_INTERPRETER_MISSING"]);
  });
});

describe("BusyBox", () => {
  const real = findProgram("busybox");
  const content =
    real === undefined ? buildElf({ data: Buffer.from("BusyBox v1.35.0") }) : readFileSync(real);
  const busybox = [file("bin/busybox", content, 0o755), link("bin/sh", "busybox"), file("x", "OK")];
  const starter = (head: string) => [...busybox, file("s", `${head}\nexit 0\n`, 0o755)];
  const own = "warning ENTRYPOINT_NOT_FOUND";

  test.each<[name: string, entries: readonly TarEntry[], argv: readonly string[], told: readonly string[]]>([
    ["a shell's program", busybox, ["sh", "-c", "cat /x"], [own]],
    ["what a shell becomes", busybox, ["sh", "-c", "exec cat /x"], [own]],
    ["what an applet starts", busybox, ["busybox", "timeout", "5", "cat", "/x"], [own]],
    ["what a shell's applet starts", busybox, ["busybox", "sh", "-c", "cat /x"], [own]],
    [
      "env's program",
      [...starter("#!/bin/env cat"), link("bin/env", "busybox")],
      ["/s"],
      ["warning SCRIPT_INTERPRETER_MISSING"],
    ],
    ["a script's shell", starter("#!/bin/busybox sh"), ["/s"], []],
    ["what it has not", busybox, ["sh", "-c", "serve /x"], ["error ENTRYPOINT_NOT_FOUND"]],
    ["what its applet has not", busybox, ["busybox", "nice", "serve"], ["error ENTRYPOINT_NOT_FOUND"]],
    ["an applet with arguments", starter("#!/bin/busybox sh -e"), ["/s"], ["error APPLET_NOT_FOUND"]],
    ["an applet's carriage return", starter("#!/bin/busybox sh\r"), ["/s"], ["error SCRIPT_CARRIAGE_RETURN"]],
    ["itself before an applet", busybox, ["busybox", "busybox", "sh", "-c", "cat /x"], [own]],
    ["an applet and its arguments", busybox, ["busybox", "sh -e"], ["error APPLET_NOT_FOUND"]],
    ["a copy's program", [file("bin/sh", content, 0o755), file("x", "OK")], ["sh", "-c", "cat /x"], [own]],
    [
      "what a copy has not",
      [file("bin/sh", content, 0o755)],
      ["sh", "-c", "serve"],
      ["error ENTRYPOINT_NOT_FOUND"],
    ],
    [
      "a copy's applet",
      [file("bin/busybox-1.35", content, 0o755), file("x", "OK")],
      ["busybox-1.35", "timeout", "5", "cat", "/x"],
      [own],
    ],
    [
      "nothing by a name of its own",
      [file("tool", content, 0o755)],
      ["/tool", "sh"],
      ["warning APPLET_NOT_FOUND"],
    ],
  ])("may have in itself %s", async (_, entries, Entrypoint, told) => {
    const made = await image(entries, { Entrypoint: [...Entrypoint] });
    const findings = await found(made);
    expect(findings).toEqual(told);
    if (lacksRoot || lacks("runc", "umoci", "busybox")) return;
    const { code } = await runImage(made);
    if (findings.some((finding) => finding.startsWith("error"))) expect(code).not.toBe(0);
    // Not every BusyBox does what Debian's does.
    else if (findings.length === 0) expect(code).toBe(0);
  });

  test("that is to start itself is followed to the end", async () => {
    const itself = Array.from({ length: 50_000 }, () => "busybox");
    expect(await found(await image(busybox, { Entrypoint: itself }))).toEqual([]);
  });
});
