import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { usage } from "../packages/cli/src/commands/build.ts";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");

describe("the README", () => {
  afterEach(() => vi.restoreAllMocks());

  test("shows examples/readme.ts, and it prints what it says", async () => {
    expect(readme).toContain(`\`\`\`ts\n${readFileSync(new URL("examples/readme.ts", root), "utf8")}\`\`\``);
    const printed = vi.spyOn(console, "log").mockImplementation(() => {});
    await import("../examples/readme.ts");
    expect(printed).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/^sha256:[0-9a-f]{64}$/));
  });

  test("names every flag of undocked build, and no other", () => {
    const [, section = ""] = /## The command\n([\s\S]*?)\n## /.exec(readme) ?? [];
    const named = new Set([...section.matchAll(/--([a-z][a-z-]+)/g)].map(([, name = ""]) => name));
    // Its short forms are the ones of docker: -f and -t.
    const flags = Object.keys(usage.flags).filter((name) => name !== "file" && name !== "tag");
    expect([...named].sort()).toEqual(flags.sort());
  });

  test("has links that lead somewhere", () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path = ""]) => path);
    expect(links.length).toBeGreaterThan(0);
    for (const path of links)
      expect(() => readFileSync(new URL(`${path}/`.replace(/([^/])\/$/, "$1"), root))).not.toThrow(/ENOENT/);
  });
});
