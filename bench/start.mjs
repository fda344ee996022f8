// How long the command takes to start: `undocked --version` and an empty program of Node, in turns.
import { execFileSync } from "node:child_process";
import process from "node:process";
import { median } from "./median.mjs";
import { ourProgram } from "./tools.mjs";

const programs = {
  undocked: [ourProgram, "--version"],
  node: ["-e", "0"],
};

/** Seconds, as medians; `ratio` is the median of the rounds' own ratios. */
export function measureStart(rounds) {
  const times = { undocked: [], node: [] };
  // Who comes first changes from round to round; the first two do not count.
  for (let round = -2; round < rounds; round += 1) {
    const names = round % 2 === 0 ? ["undocked", "node"] : ["node", "undocked"];
    for (const name of names) {
      const began = performance.now();
      execFileSync(process.execPath, programs[name], { stdio: "ignore" });
      if (round >= 0) times[name].push((performance.now() - began) / 1000);
    }
  }
  const ratio = median(times.undocked.map((time, round) => time / times.node[round]));
  return { rounds, undocked: median(times.undocked), node: median(times.node), ratio };
}
