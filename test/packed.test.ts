import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { copyImage, memoryStore, ociLayout, registryClient } from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeFences } from "./support/code-fences.ts";
import { randomImage, validateImage } from "./support/random-image.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../", import.meta.url));
const folders = ["registry", "core", "cli"];
const pnpm = ["--yes", "pnpm@12.21.0"];

interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const packages = folders.map((folder) => readJson(join(root, "packages", folder, "package.json")));
const entries = packages.flatMap(({ name, exports }) =>
  Object.keys(exports)
    .filter((path) => path !== "./package.json")
    .map((path) => name + path.slice(1)),
);

// An empty project with pnpm's strict node_modules: what a package forgot to depend on is not there.
describe("the packed packages, installed in an empty project", () => {
  const place = mkdtempSync(join(tmpdir(), "undocked-packed-"));

  beforeAll(async () => {
    const projects = folders.map((folder) => `packages/${folder}`);
    execFileSync(join(root, "node_modules/.bin/tsc"), ["-b", ...projects], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
    });
    for (const folder of folders) {
      const args = [...pnpm, "pack", "--pack-destination", place];
      await run("npx", args, { cwd: join(root, "packages", folder) });
    }
    const tarballs = Object.fromEntries(
      packages.map(({ name, version }) => {
        const file = `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
        return [name, pathToFileURL(join(place, file)).href.replace("file://", "file:")];
      }),
    );
    writeFileSync(
      join(place, "package.json"),
      JSON.stringify({ name: "empty", private: true, type: "module", dependencies: tarballs }),
    );
    // They depend on each other by version, and are on no registry yet.
    writeFileSync(
      join(place, "pnpm-workspace.yaml"),
      JSON.stringify({ packages: ["."], overrides: tarballs }),
    );
    await run("npx", [...pnpm, "install", "--prefer-offline", "--no-frozen-lockfile"], { cwd: place });
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  test("depend on each other by version and not by the workspace", () => {
    for (const { name } of packages) {
      const { dependencies = {} } = readJson(join(place, "node_modules", name, "package.json"));
      expect(Object.values(dependencies).filter((range) => /workspace|catalog|file/.test(range))).toEqual([]);
    }
  });

  test.each(folders)("@undocked/%s brings no tests and no build state", (folder) => {
    const files = readdirSync(join(place, "node_modules/@undocked", folder), { recursive: true }).map(String);
    expect(
      files.filter((file) => /\.test\.|tsbuildinfo/.test(file) && !file.startsWith("node_modules")),
    ).toEqual([]);
    expect(files).toContain("dist/index.d.ts");
  });

  test.each(entries)("%s can be imported and required", async (entry) => {
    const count = (source: string, type: string) =>
      run(process.execPath, [`--input-type=${type}`, "--no-warnings", "--eval", source], { cwd: place });
    const imported = await count(
      `console.log(Object.keys(await import("${entry}")).sort().join())`,
      "module",
    );
    const required = await count(`console.log(Object.keys(require("${entry}")).sort().join())`, "commonjs");
    expect(imported.stderr).toBe("");
    expect(required.stdout).toBe(imported.stdout);
  });

  test("undocked tells its version", async () => {
    const { stdout } = await run(join(place, "node_modules/.bin/undocked"), ["--version"], { cwd: place });
    expect(stdout.trim()).toContain(packages.at(-1)?.version);
  });

  test("undocked, joined to a few files, builds what its modules build", async () => {
    writeFileSync(join(place, "Dockerfile"), "FROM scratch\nCOPY package.json /app/\n");
    const build = (program: string, ...args: readonly string[]) =>
      run(program, [...args, "build", "--no-cache", "--quiet", "."], { cwd: place });
    const joined = await build(join(place, "node_modules/.bin/undocked"));
    const modules = await build(process.execPath, join(root, "packages/cli/dist/bin.js"));
    expect(joined.stdout).toMatch(/^sha256:/);
    expect(joined.stdout).toBe(modules.stdout);
  });

  test("undocked brings the licenses of all that it was joined with", () => {
    const folder = join(place, "node_modules/@undocked/cli/dist");
    const text = readFileSync(join(folder, "undocked.licenses.txt"), "utf8");
    for (const library of ["zod", "node-fetch", "tar-stream", "pako", "elfinfo"])
      expect(text).toMatch(new RegExp(`^${library} \\d.*\\(.+\\)\n\n.+`, "m"));
  });
});

// The OCI client is for those who build nothing: it brings nothing of the others.
describe("@undocked/registry alone, packed and installed in an empty project", () => {
  const place = mkdtempSync(join(tmpdir(), "undocked-alone-"));

  beforeAll(async () => {
    execFileSync(join(root, "node_modules/.bin/tsc"), ["-b", "packages/registry"], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
    });
    await run("npx", [...pnpm, "pack", "--pack-destination", place], {
      cwd: join(root, "packages/registry"),
    });
    const tarball = readdirSync(place).find((name) => name.endsWith(".tgz")) ?? "";
    writeFileSync(
      join(place, "package.json"),
      JSON.stringify({
        private: true,
        type: "module",
        dependencies: { "@undocked/registry": `file:./${tarball}` },
      }),
    );
    writeFileSync(join(place, "pnpm-workspace.yaml"), JSON.stringify({ packages: ["."] }));
    await run("npx", [...pnpm, "install", "--prefer-offline", "--no-frozen-lockfile"], { cwd: place });
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  test("pulls and pushes with its README's ten lines, type-checked as TypeScript", async () => {
    await using registry = await startRegistry();
    await using client = registryClient({ credentials: "anonymous" });
    const from = memoryStore();
    const image = await randomImage(from, 1);
    const app = client.repository(`${registry.host}/team/app`);
    await copyImage(image, from, app, { tags: ["1.0"] });

    const readme = readFileSync(join(place, "node_modules/@undocked/registry/README.md"), "utf8");
    const [example = ""] = codeFences(readme, "ts");
    writeFileSync(join(place, "example.ts"), example.replaceAll("registry.example", registry.host));
    const compilerOptions = {
      target: "es2022",
      lib: ["es2023", "esnext.disposable"],
      module: "nodenext",
      types: [join(root, "node_modules/@types/node")],
      strict: true,
    };
    writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["example.ts"] }));
    await run(join(root, "node_modules/.bin/tsc"), ["-p", place]);
    const env = { PATH: process.env["PATH"], HOME: place };
    const { stdout } = await run(process.execPath, ["example.js"], { cwd: place, env });
    expect(stdout).toBe("1.0\n1.1\n");
    expect((await app.resolve("1.1")).digest).toBe(image.digest);
    const layout = ociLayout(join(place, "images"));
    await validateImage(await layout.resolve("1.0"), layout);
  });

  test("brings its server and nothing of the packages that use it", async () => {
    const names = readdirSync(join(place, "node_modules/.pnpm")).filter((name) => name.includes("undocked"));
    expect(names.every((name) => name.startsWith("@undocked+registry@"))).toBe(true);
    const source =
      'const { startRegistry } = await import("@undocked/registry/server"); const r = await startRegistry(); console.log((await fetch(r.url + "/v2/")).status); await r.close();';
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", source], { cwd: place });
    expect(stdout).toBe("200\n");
  });
});

function readJson(path: string): PackageFile {
  return JSON.parse(readFileSync(path, "utf8")) as PackageFile;
}
