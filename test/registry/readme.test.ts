import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { copyImage, memoryStore, openOciArchive, registryClient } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeFences } from "../support/code-fences.ts";
import { randomArtifact, randomImage } from "../support/random-image.ts";
import { compilePackage } from "../support/run-script.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(`${root}packages/registry/README.md`, "utf8");

describe("the README of @undocked/registry", () => {
  let registry: RunningRegistry;
  let place: string;
  const fences = codeFences(readme, "ts");

  beforeAll(async () => {
    compilePackage("registry");
    registry = await startRegistry();
    await using client = registryClient({ credentials: "anonymous" });
    const from = memoryStore();
    const image = await randomImage(from, 1);
    await randomArtifact(from, "signature", { subject: image });
    const app = client.repository(`${registry.host}/team/app`);
    await copyImage(image, from, app, { tags: ["1.0"], referrers: true });

    // Where the workspace's packages are found.
    mkdirSync(`${root}node_modules/.cache`, { recursive: true });
    place = mkdtempSync(`${root}node_modules/.cache/readme-`);
    for (const [number, fence] of fences.entries()) {
      const name = fence.includes('from "vitest"') ? `example-${number}.test.ts` : `example-${number}.ts`;
      writeFileSync(join(place, name), fence.replaceAll("registry.example", registry.host));
    }
    writeFileSync(join(place, "package.json"), JSON.stringify({ type: "module" }));
    const own = { test: { include: ["*.test.js"], exclude: [] } };
    writeFileSync(join(place, "vitest.config.js"), `export default ${JSON.stringify(own)};`);
    const settings = {
      target: "es2022",
      lib: ["es2023", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
    };
    writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions: settings }));
    await run(`${root}node_modules/.bin/tsc`, ["-p", place]);
  });
  afterAll(async () => {
    await registry.close();
    rmSync(place, { recursive: true, force: true });
  });

  const runExample = async (number: number): Promise<string> => {
    // No logins of whoever runs the tests.
    const env = { PATH: process.env["PATH"], HOME: place };
    return (await run(process.execPath, [`example-${number}.js`], { cwd: place, env })).stdout;
  };

  test("pulls and pushes in ten lines", async () => {
    const [first = ""] = fences;
    expect(first.trim().split("\n").length).toBeLessThanOrEqual(10);
    expect(await runExample(0)).toBe("1.0\n1.1\n");
  });

  test("streams a blob", async () => {
    expect(await runExample(1)).toBe("line 0\nline 1\nline 2\n");
  });

  test("copies with what refers to an image, through a cache, and converts", async () => {
    const lines = (await runExample(2)).trim().split("\n");
    expect(lines.at(-1)).toBe("application/vnd.docker.distribution.manifest.v2+json");
    expect(lines.filter((line) => line.startsWith("copied"))).toHaveLength(4 + 3);
    await using archive = await openOciArchive(join(place, "app.tar"));
    expect(await archive.roots()).toHaveLength(2);
  });

  test("shows an error's parts", async () => {
    expect(await runExample(3)).toMatch(/^MANIFEST_UNKNOWN 404 /);
  });

  test("has a registry for tests", async () => {
    const vitest = `${root}node_modules/vitest/vitest.mjs`;
    const { stdout } = await run(process.execPath, [vitest, "run", "--root", place, "--reporter", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ numPassedTests: 2, numFailedTests: 0, success: true });
  });

  test("has every example tried", () => {
    expect(fences).toHaveLength(5);
  });

  test("has every code of this package", () => {
    const inSources = new Set<string>();
    const sources = `${root}packages/registry/src`;
    const known = new Set(errorCodes(readFileSync(`${root}README.md`, "utf8")));
    for (const path of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
      if (!path.endsWith(".ts") || path.endsWith(".test.ts")) continue;
      for (const [, code = ""] of readFileSync(join(sources, path), "utf8").matchAll(/"([A-Z][A-Z_]+)"/g)) {
        // The table of all packages says what is a code; its own test holds it.
        if (known.has(code)) inSources.add(code);
      }
    }
    expect(errorCodes(readme)).toEqual([...inSources].sort());
  });
});

function errorCodes(text: string): string[] {
  return [...text.matchAll(/^\| `([A-Z_]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, code = ""]) => code);
}
