import { describe, expect, test } from "vitest";
import { main } from "./main.ts";

async function run(...argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  const code = await main(argv, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    cwd: process.cwd(),
    env: {},
  });
  return { code, stdout, stderr };
}

describe("the command line", () => {
  test("tells its version", async () => {
    expect(await run("--version")).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" });
  });

  test("without a command shows them and is wrong", async () => {
    const { code, stdout } = await run();
    expect(code).toBe(2);
    expect(stdout).toContain("registry serve");
  });

  test.each([
    [["biuld"], '"biuld" is not a command.'],
    [["constructor"], '"constructor" is not a command.'],
    [["build", "--bulid-arg", "a=b"], "Unknown option '--bulid-arg'"],
    [["build", "--target"], "'--target <value>' argument missing"],
    [["build", "--target", "a", "--target", "b"], "--target is given 2 times"],
    [["build", "--push=yes"], "does not take an argument"],
    [["build", "--label", "novalue"], '--label takes NAME=VALUE, not "novalue".'],
    [["build", "--map", "src"], '--map takes FROM:TO, not "src".'],
    [["build", "--progress", "loud"], "--progress is one of auto, tty, plain, json"],
    [["build", "a", "b"], "build takes one context, not 2."],
    [["build", ""], 'The context is ""'],
    [["build", "-"], "A context is not read from standard input"],
    [["build", "-f", "-", "-"], "A context is not read from standard input"],
    [["build", "--iidfile", ""], '--iidfile takes a path, and "" is none.'],
    [["build", "--file", ""], '--file takes a path, and "" is none.'],
    [["build", "-o", "type=oci-layout,dest=-"], "A layout is a directory"],
    [["registry"], "registry takes serve."],
    [["registry", "surf"], 'registry takes serve, not "surf".'],
    [["inspect"], "inspect takes one file, not 0."],
    [["copy", "a"], "copy takes a source and a target, not 1."],
    [["copy", "a", "b@sha256:" + "0".repeat(64)], "its digest is its own"],
    [["copy", "a", "b", "--convert", "zip"], "--convert is one of oci, docker"],
    [["copy", "oci:a", "docker-archive:b"], "docker-archive:FILE:REFERENCE"],
    [["login", "ghcr.io", "-u", "me"], "login needs --username USER and --password-stdin."],
    [["login", "ghcr.io", "-u", "me", "--password-stdin"], "Standard input has no password."],
    [["login", "ghcr.io", "--password", "secret"], "Unknown option '--password'"],
    [["logout"], "logout takes one host, not 0."],
    [["tags"], "tags takes one repository, not 0."],
    [["manifest", "a", "b"], "manifest takes one image, not 2."],
    [["blob", "a"], "a has no digest."],
    [["registry", "serve", "--port", "-1"], "--port"],
    [["registry", "serve", "--port", "70000"], '--port takes a number from 0 to 65535, not "70000".'],
  ])("%j is wrong and says why", async (argv, message) => {
    const { code, stdout, stderr } = await run(...argv);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });

  test.each([
    [["biuld"], "Did you mean build?"],
    [["help", "insepct"], "Did you mean inspect?"],
    [["build", "--bulid-arg", "a=b"], "Did you mean --build-arg?"],
    [["build", "--no-cahce"], "Did you mean --no-cache?"],
    [["cache", "prune", "--max-sze=1GB"], "Did you mean --max-size?"],
    [["registry", "serev"], "Did you mean serve?"],
    [["buildx", "build", "."], "undocked build"],
    [["push", "a"], "undocked copy"],
    [["version"], "undocked --version"],
    [["build", "--load"], "docker load"],
    [["build", "--provenance=false"], "no attestation"],
    [["build", "--secret", "id=a"], "RUN"],
    [["login", "ghcr.io", "--password", "hunter2"], "--password-stdin"],
  ])("%j has a hint", async (argv, hint) => {
    const { code, stderr } = await run(...argv);
    expect(code).toBe(2);
    expect(stderr.split("\n").find((line) => line.startsWith("  hint: "))).toContain(hint);
    expect(stderr).not.toContain("hunter2");
  });

  test.each([
    [["xyzzyx"]],
    [["constructor"]],
    [["build", "--toString"]],
    [["build", "--quux-quux"]],
    [["build", "-x"]],
  ])("%j is like nothing, and has no hint", async (argv) => {
    const { code, stderr } = await run(...argv);
    expect(code).toBe(2);
    expect(stderr).not.toContain("hint:");
  });

  test.each([[["build"]], [["registry"]], [["registry", "serve"]], [[]], [["help"]]])(
    "help %j is what its --help tells",
    async (command) => {
      const { code, stdout, stderr } = await run("help", ...command);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toBe((await run(...command, "--help")).stdout);
    },
  );

  test.each([
    ["blob"],
    ["build"],
    ["copy"],
    ["login"],
    ["logout"],
    ["manifest"],
    ["tags"],
    ["inspect"],
    ["registry", "serve"],
  ])("%s --help lists its options", async (...command) => {
    const { code, stdout } = await run(...command, "--help");
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: undocked ${command.join(" ")}`);
  });

  test("the first word of commands of two has its help, which lists them", async () => {
    const { code, stdout, stderr } = await run("registry", "--help");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("registry serve  Serve an OCI registry");
    expect(stdout).not.toContain("inspect");
  });

  test("a value that follows a = alone is shown so in the help", async () => {
    const { stdout } = await run("build", "--help");
    expect(stdout).toContain("--plan[=text|json]");
    expect(stdout).toContain("--progress auto|tty|plain|json ");
  });

  test("a value that looks like --help is a value", async () => {
    const { code, stderr } = await run("inspect", "--platform=--help", "x");
    expect([code, stderr.includes("PLATFORM_INVALID")]).toEqual([1, true]);
  });

  test("inspect says that a file is not there", async () => {
    const { code, stderr } = await run("inspect", "/nowhere/at-all");
    expect(code).toBe(1);
    expect(stderr).toContain("Provided executable /nowhere/at-all does not exist");
  });
});
