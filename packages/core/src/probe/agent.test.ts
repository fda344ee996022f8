import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { agentSource, programOf } from "./agent.ts";

test("the agent needs nothing but what its text has", () => {
  expect(agentSource()).toMatch(/^\(function agent\(/);
});

// As esbuild's keepNames writes it, and as it does when it minifies as well.
test.each([
  `function agent() { function print(told) { console.log(told); } __name(print, "print"); print("here"); } `,
  `function t(){function n(e){console.log(e)}a(n,"print");const r=a(()=>"here","name");n(r())}`,
])("text in which a bundler keeps names runs without the bundler's helper", (source) => {
  expect(execFileSync(process.execPath, ["-e", programOf(source)], { encoding: "utf8" })).toBe("here\n");
});
