import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { violationsOf, type PackageFile, type Rules } from "./support/architecture.ts";

const wire = ["packages/registry/src/remote", "packages/registry/src/server"];

/** What is decided about imports. A line here is a decision; DESIGN.md and STYLE.md have the reasons. */
const rules: Rules = {
  packages: {
    registry: [],
    core: ["registry"],
    cli: ["core", "registry"],
  },
  areas: {
    registry: {
      errors: [],
      oci: ["errors"],
      tar: ["errors"],
      files: ["errors"],
      store: ["errors", "oci", "tar", "files"],
      auth: ["errors", "oci", "files"],
      remote: ["errors", "oci", "store", "auth", "files"],
      server: ["errors", "oci", "store", "files"],
      index: "*",
    },
    core: {
      // The text arm.
      dockerfile: [],
      plan: ["dockerfile"],
      // The bytes arm.
      context: [],
      layer: ["context"],
      rootfs: ["context", "layer"],
      elf: ["context"],
      preflight: ["layer", "rootfs", "context", "elf"],
      cache: ["layer", "rootfs", "context", "elf"],
      check: ["preflight", "layer", "rootfs", "context", "elf"],
      // Starts programs; nothing else knows it.
      probe: ["check", "preflight", "rootfs", "context"],
      // Where they meet.
      build: "*",
      "front-end": "*",
      index: "*",
    },
    cli: {
      annotation: ["args"],
      args: [],
      io: [],
      render: ["io"],
      commands: [
        "annotation",
        "args",
        "compression",
        "io",
        "metadata",
        "named-file",
        "output",
        "place",
        "preview",
        "quantity",
        "registry-flags",
        "render",
        "standard-input",
      ],
      compression: ["args"],
      metadata: ["named-file"],
      "named-file": [],
      "node-version": [],
      optimizing: ["node-version"],
      "registry-flags": ["args", "io", "render"],
      output: ["args"],
      place: ["args", "named-file"],
      preview: ["io", "render"],
      quantity: ["args"],
      "standard-input": ["args", "io"],
      "working-directory": ["args"],
      "wrong-word": ["args"],
      "young-space": ["node-version"],
      main: "*",
      bin: "*",
      index: "*",
    },
  },
  libraries: {
    zod: "*",
    "tar-stream": "packages/registry/src/tar/write.ts",
    "node-fetch": "packages/registry/src/remote/transport.ts",
    "smol-toml": "packages/registry/src/remote/toml.ts",
    elfinfo: "packages/core/src/elf/read.ts",
    semver: "packages/core/src/build/tags.ts",
    fzstd: "packages/core/src/layer/zstd.ts",
    pako: "packages/core/src/layer/deflate.ts",
  },
  builtins: {
    "node:http": wire,
    "node:https": wire,
    "node:http2": wire,
    "node:net": wire,
    "node:tls": wire,
    "node:dgram": wire,
    "node:dns": wire,
    "node:dns/promises": wire,
    "node:inspector": [],
    "node:vm": [],
    // A build executes nothing; docker's credential helpers are programs that the user's configuration names.
    // A probe is what people ask for by name.
    "node:child_process": ["packages/registry/src/auth", "packages/core/src/probe/isolation.ts"],
    "node:cluster": [],
  },
  programs: ["packages/cli/src/bin.ts"],
};

test("the packages import only what the rules let them", () => {
  const { sources, packages } = readPackages();
  expect(sources.size).toBeGreaterThan(20);
  expect(violationsOf(sources, packages, rules)).toEqual([]);
});

describe("the check can fail", () => {
  const packages = new Map<string, PackageFile>([
    ["registry", { name: "@undocked/registry", dependencies: [] }],
    ["core", { name: "@undocked/core", dependencies: [] }],
  ]);
  test.each([
    ["an import against the order of packages", "registry/src/oci/a.ts", 'import "@undocked/core";'],
    ["an import against the order of areas", "registry/src/oci/a.ts", 'import "../store/b.ts";'],
    ["text that looks at bytes", "core/src/plan/a.ts", 'import type { B } from "../layer/b.ts";'],
    ["bytes that look at text", "core/src/layer/a.ts", 'import type { B } from "../plan/b.ts";'],
    ["a file in an area without a rule", "core/src/utils.ts", 'import "./build/build.ts";'],
    ["a path out of the package", "core/src/build/a.ts", 'import "../../../registry/src/errors.ts";'],
    ["a socket outside the wire", "registry/src/auth/a.ts", 'import { get } from "node:https";'],
    ["a program that a build would start", "core/src/build/a.ts", 'import "node:child_process";'],
    ["an unknown library", "core/src/build/a.ts", 'import "left-pad";'],
    ["a known library in another file", "core/src/build/a.ts", 'import "tar-stream";'],
    ["a library that is not depended on", "core/src/build/a.ts", 'import { z } from "zod";'],
    ["Node's module without its prefix", "core/src/build/a.ts", 'import "fs";'],
    ["an import of a test", "core/src/build/a.ts", 'import "./b.test.ts";'],
    ["an import without its ending", "core/src/build/a.ts", 'import "./b";'],
    ["a computed import", "core/src/build/a.ts", "export const a = (b: string) => import(b);"],
    ["a default export", "core/src/build/a.ts", "export default 1;"],
    ["an index that does more", "core/src/elf/index.ts", "export const a = 1;"],
    ["a top-level await", "core/src/build/a.ts", "export const a = await Promise.resolve(1);"],
    ["the environment at load", "core/src/build/a.ts", 'const a = process.env["A"];'],
    ["work at load", "core/src/build/a.ts", "start();"],
    ["a module that imports itself", "core/src/build/a.ts", 'import "./a.ts";'],
  ])("%s is told", (_, path, source) => {
    const sources = new Map([[`packages/${path}`, `${source}\n`]]);
    expect(violationsOf(sources, packages, rules)).not.toEqual([]);
  });

  test("a cycle through a type is told, with its way", () => {
    const sources = new Map([
      ["packages/core/src/build/a.ts", 'import type { B } from "./b.ts";\n'],
      ["packages/core/src/build/b.ts", 'export * from "./c.ts";\n'],
      ["packages/core/src/build/c.ts", 'import { a } from "./a.ts";\n'],
    ]);
    expect(violationsOf(sources, packages, rules)).toEqual([
      "cycle: packages/core/src/build/a.ts -> packages/core/src/build/b.ts -> packages/core/src/build/c.ts -> packages/core/src/build/a.ts",
    ]);
  });

  test("a dependency that nothing imports is told", () => {
    const idle = new Map([["core", { name: "@undocked/core", dependencies: ["zod"] }]]);
    expect(violationsOf(new Map(), idle, rules)).toEqual([
      "@undocked/core depends on zod and does not import it",
    ]);
  });

  test("what the rules allow is not told", () => {
    const sources = new Map([
      ["packages/core/src/build/a.ts", 'import { b } from "../plan/b.ts";\nexport const a = 1;\n'],
      ["packages/core/src/plan/b.ts", 'import type { C } from "../dockerfile/c.ts";\nexport const b = 1;\n'],
      ["packages/registry/src/remote/a.ts", 'import { get } from "node:https";\n'],
    ]);
    expect(violationsOf(sources, packages, rules)).toEqual([]);
  });
});

function readPackages(): { sources: Map<string, string>; packages: Map<string, PackageFile> } {
  const root = new URL("../", import.meta.url);
  const sources = new Map<string, string>();
  const packages = new Map<string, PackageFile>();
  for (const folder of readdirSync(new URL("packages/", root))) {
    const file = JSON.parse(readFileSync(new URL(`packages/${folder}/package.json`, root), "utf8")) as {
      name: string;
      dependencies?: Record<string, string>;
    };
    packages.set(folder, { name: file.name, dependencies: Object.keys(file.dependencies ?? {}) });
    for (const path of readdirSync(new URL(`packages/${folder}/src/`, root), { recursive: true })) {
      const name = `packages/${folder}/src/${String(path)}`;
      if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
      sources.set(name, readFileSync(new URL(name, root), "utf8"));
    }
  }
  return { sources, packages };
}
