import { expect } from "vitest";
import { fileURLToPath } from "node:url";
import { runCli, type CliOptions } from "../support/cli.ts";

const bin = fileURLToPath(new URL("build-all.mjs", import.meta.url));

/** Builds all fixtures of a directory in a process of its own; gives the manifests' digests by name. */
export async function buildAll(
  directory: string,
  { cache, ...options }: CliOptions & { readonly cache?: string } = {},
): Promise<Record<string, string>> {
  const args = cache === undefined ? [directory] : [directory, cache];
  const { code, stdout, stderr } = await runCli(args, { bin, ...options });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}
