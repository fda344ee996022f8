// The command line of the comparison.
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { runTitles } from "./series.mjs";
import { workloads } from "./workloads.mjs";

const list = (titles) =>
  Object.entries(titles)
    .map(([name, title]) => `    ${name.padEnd(9)} ${title}`)
    .join("\n");

const usage = `Usage: node bench/run.mjs [OPTIONS]

  Each tool puts a workload's files over the same base and pushes the image to Debian's docker-registry on this machine.

  --workload NAME   only this one; may be given again (default: all)
${list({ start: "undocked --version beside node -e 0", ...Object.fromEntries(Object.entries(workloads).map(([name, { title }]) => [name, title])) })}
  --run NAME        only what leads to this run; may be given again (default: all that the workload has)
${list(runTitles)}
  --tool NAME       only this one, by its first word or its whole name, such as "buildah (overlay)"; may be given again
  --rounds N        how often, the tools taking turns (default: 1)
  --base DIRECTORY  a root file system to use as the base, for example debootstrap's (default: a tree that is made)
  --scale 0.02      smaller trees, to try the bench itself (default: 1)
  --peers DIRECTORY where crane, regctl and containerify were put, see README.md (default: the scratch directory's peers)
  --name NAME       what the results' files have in their names after the date
  --no-save         prints the tables and writes nothing

  The scratch directory is $UNDOCKED_BENCH_DIR, or undocked-bench in the system's temporary directory.
`;

/** Ends the process after the help. */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "1" },
      tool: { type: "string", multiple: true },
      workload: { type: "string", multiple: true },
      run: { type: "string", multiple: true },
      scale: { type: "string", default: "1" },
      base: { type: "string" },
      peers: { type: "string" },
      name: { type: "string" },
      "no-save": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  known("workload", values.workload, ["start", ...Object.keys(workloads)]);
  known("run", values.run, Object.keys(runTitles));
  const scratch = process.env.UNDOCKED_BENCH_DIR ?? join(tmpdir(), "undocked-bench");
  return {
    ...values,
    scratch,
    rounds: Number(values.rounds),
    scale: Number(values.scale),
    peers: values.peers ?? join(scratch, "peers"),
    wantsWorkload: (name) => values.workload?.includes(name) ?? true,
    wantsRun: (name) => values.run?.includes(name) ?? true,
    wantsTool: (name) =>
      values.tool?.some((wanted) => name === wanted || name.split(" ")[0] === wanted) ?? true,
  };
}

function known(option, given = [], names) {
  const unknown = given.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`--${option} is one of ${names.join(", ")}, not ${unknown}.`);
}
