import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { publicApi } from "../support/public-api.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders = readdirSync(`${root}packages`);

beforeAll(() => {
  const projects = folders.map((folder) => `packages/${folder}`);
  execFileSync(`${root}node_modules/.bin/tsc`, ["-b", ...projects], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
});

// The text is the changelog's business. To take a wanted change over: `npx vitest run test/api --update`.
test.each(folders)("the public API of packages/%s is the one that is written down", async (folder) => {
  const manifest = JSON.parse(readFileSync(`${root}packages/${folder}/package.json`, "utf8")) as {
    name: string;
    exports: Record<string, string | { types: string }>;
  };
  const sections = Object.entries(manifest.exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [`# ${manifest.name}${path.slice(1)}\n\n${publicApi(`${root}packages/${folder}/${target.types}`)}`],
  );
  await expect(sections.join("\n")).toMatchFileSnapshot(`./${folder}.snapshot.txt`);
});

// What an editor shows when somebody points at the name: a sentence before any tag.
test.each(folders)("every export of packages/%s says what it is", (folder) => {
  const manifest = JSON.parse(readFileSync(`${root}packages/${folder}/package.json`, "utf8")) as {
    exports: Record<string, string | { types: string }>;
  };
  const sources = new Set<string>();
  const read = (path: string): string => {
    const source = readFileSync(path, "utf8");
    sources.add(source);
    return source;
  };
  const api = Object.values(manifest.exports)
    .filter((target) => typeof target !== "string")
    .map(({ types }) => publicApi(`${root}packages/${folder}/${types}`, read))
    .join("\n");
  const described = new Set([...sources].flatMap(describedIn));
  const names = [...api.matchAll(/^export (?:declare )?(?:abstract )?(?:class|const|function|interface|type) ([\w$]+)/gm)];
  expect(names.length).toBeGreaterThan(0);
  expect(names.map(([, name]) => name).filter((name) => !described.has(name))).toEqual([]);
});

function describedIn(source: string): readonly (string | undefined)[] {
  const declarations =
    /\/\*\*[\s*]*(?![@\s*])(?:(?!\*\/)[^])*\*\/\n(?:export )?(?:declare )?(?:abstract )?(?:class|const|function|interface|type) ([\w$]+)/g;
  return [...source.matchAll(declarations)].map(([, name]) => name);
}
