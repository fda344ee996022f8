// Compares us with our peers: build over a base and push, with nothing kept, over a known base, again, and after changes.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { packBase, pushBase } from "./base.mjs";
import { chart } from "./chart.mjs";
import { isRight } from "./judge.mjs";
import { measure } from "./measure.mjs";
import { readOptions } from "./options.mjs";
import { startRegistry } from "./registry.mjs";
import { series } from "./series.mjs";
import { measureStart } from "./start.mjs";
import { formatTables } from "./table.mjs";
import { toolsFor } from "./tools.mjs";
import { ensureTree, makeBase, workloads } from "./workloads.mjs";

const options = readOptions();
const { scale, scratch } = options;
mkdirSync(scratch, { recursive: true });
const baseTree =
  options.base ?? ensureTree(join(scratch, `base-${scale}`), (directory) => makeBase(directory, scale));
const baseName = options.base === undefined ? `base-${scale}` : options.base.replace(/[^\w]/g, "-");
const base = packBase(baseTree, join(scratch, `${baseName}.tar.gz`));
const swapped = packBase(baseTree, join(scratch, `${baseName}-swapped.tar.gz`), 1);
const tools = toolsFor(options)
  .filter(({ name }) => options.wantsTool(name))
  .filter(isThere);
const results = [];
const empties = [];

const start = options.wantsWorkload("start") ? measureStart(40) : undefined;
for (const [name, workload] of Object.entries(workloads)) {
  if (!options.wantsWorkload(name)) continue;
  const context = ensureTree(join(scratch, `${name}-${scale}`), (directory) =>
    workload.make(directory, scale),
  );
  // Into the page cache, for everybody alike.
  execFileSync("bash", ["-c", `tar -C '${context}' -cf - . | cat >/dev/null`]);
  // The first is not timed: what counts the bytes takes processor time, and most from whoever uses all cores at once.
  for (let round = 0; round <= options.rounds; round += 1) {
    empties.push(await measure(`'${process.execPath}' -e 0`, { env: process.env, scratch }));
    for (const one of series) {
      const runs = runsOf(one, workload);
      if (runs.length === 0) continue;
      // Who comes first changes from round to round.
      const inTurn = round % 2 === 0 ? tools : tools.toReversed();
      for (const tool of inTurn) await runSeries(one, runs, tool, workload, { name, context, round });
    }
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
    start,
    empty: empties.map(({ wall, cpu, peak }) => ({ wall, cpu, peak })),
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
    if (results.length > 0) writeFileSync(`${stem}.svg`, chart(report, workloads));
  }
  return tables;
}

/** Up to the last one that is wanted: each builds on what is before it. */
function runsOf({ runs }, workload) {
  const own = runs.filter((run) => workload.runs.includes(run));
  return own.slice(0, own.findLastIndex(options.wantsRun) + 1);
}

function isThere({ name, missing }) {
  const reason = missing();
  if (reason !== undefined) console.log(`${name} is left out: ${reason}`);
  return reason === undefined;
}

/** A registry and a state directory for it alone, so that nothing one tool pushed helps the next. */
async function runSeries({ isPinned, before, script }, runs, tool, { into }, { name, context, round }) {
  const registry = await startRegistry(join(scratch, "registry"));
  const isCounted = round === 0;
  const host = isCounted ? registry.host : registry.direct.replace("http://", "");
  const state = join(scratch, "state");
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { recursive: true });
  const job = {
    target: `${host}/bench/app:1`,
    context,
    into,
    dockerfile: join(scratch, "Dockerfile"),
    state,
  };
  // `localhost` and the loopback range are not for a proxy that the environment may name.
  const env = { ...process.env, TMPDIR: state, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" };
  const changed = join(context, "changed.js");
  try {
    const digest = await pushBase(base, registry.direct, "bench/base", "1");
    job.base = `${host}/bench/base${isPinned ? `@${digest}` : ":1"}`;
    writeFileSync(job.dockerfile, `FROM ${job.base}\nCOPY . ${into}/\n`);
    const prepared = before(tool, job, otherJob(job));
    if (prepared === undefined) return;
    await measure(prepared, { env, scratch });
    for (const run of runs) {
      if (run === "changed") writeFileSync(changed, `// round ${round}\n`);
      if (run === "swapped") await pushBase(swapped, registry.direct, "bench/base", "1");
      registry.reset();
      const measured = await measure(script(tool, job), { env, scratch });
      const { sent, received, requests } = registry.count;
      const right = await isRight(registry.direct, "bench/app", "1", into);
      const figures = isCounted ? { sent, received } : measured;
      results.push({ workload: name, tool: tool.name, round, run, ...figures, requests, right });
      const { wall, cpu, peak } = measured;
      const told = isCounted
        ? `sent ${sent}, received ${received}, ${requests} requests`
        : `${wall.toFixed(2)} s, cpu ${cpu.toFixed(2)} s, ${peak.toFixed(0)} MB`;
      console.log(`${name} ${tool.name} ${run}: ${told}${right ? "" : ", WRONG"}`);
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

/** Another image over the same base: one small file in another repository. */
function otherJob(job) {
  const context = join(job.state, "other");
  mkdirSync(context);
  writeFileSync(join(context, "note.txt"), "another image\n");
  return { ...job, context, target: job.target.replace("/app:", "/other:") };
}
