import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkImage } from "@undocked/core";
import { randomFrom } from "../support/library-layout.ts";
import { makeImage } from "../support/make-image.ts";
import { randomStart, randomStartNeeds } from "../support/random-start.ts";
import { runImage } from "../support/run-image.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

/* Random images, judged and then run: a verdict is held against what the kernel, the loader and the runtime really do. */

const count = Number(process.env["UNDOCKED_REALITY"] ?? 60);
const seed = Number(process.env["UNDOCKED_REALITY_SEED"] ?? 20_261_121);
const cannot =
  lacksRoot ||
  lacks("runc", "umoci", "busybox") ||
  process.arch !== "x64" ||
  !randomStartNeeds.every((path) => existsSync(path));

describe.skipIf(cannot)("beside a container", () => {
  test(
    `${count} random images start where they are said to, and nowhere else`,
    { timeout: 7_200_000 },
    async () => {
      const random = randomFrom(seed);
      const wrong: string[] = [];
      const seen = { starts: 0, fails: 0, doubtful: 0 };
      const codes = new Map<string, number>();
      for (let n = 0; n < count; n++) {
        const made = randomStart(random);
        const image = await makeImage(made);
        const [checked] = await checkImage(image.root, image.store);
        const findings = checked?.proof.findings ?? [];
        const { code, output } = await runImage(image);
        const started = code === 0;
        for (const finding of findings) codes.set(finding.code, (codes.get(finding.code) ?? 0) + 1);
        seen[started ? "starts" : "fails"]++;
        if (checked?.proof.ok === started) continue;
        const told = findings.map(({ severity, message }) => `  ${severity} ${message}`).join("\n");
        if (!started && findings.length > 0) {
          seen.doubtful++;
          continue;
        }
        wrong.push(
          `${n}: ended with ${code}: ${output.trim()}\n  ${JSON.stringify(made.config)}\n${told}\n${checked?.proof.steps.map(({ path, file, detail }) => `    ${path} ${file} ${detail}`).join("\n")}`,
        );
      }
      console.log(seen, Object.fromEntries([...codes].sort(([, a], [, b]) => b - a)));
      expect(wrong.join("\n\n")).toBe("");
      expect(Math.min(seen.starts, seen.fails)).toBeGreaterThan(count / 10);
    },
  );
});
