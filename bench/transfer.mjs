// Compares the transfer of one large layer with skopeo's: into Debian's docker-registry on loopback, and back.
import { execFileSync } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measure } from "./measure.mjs";
import { median } from "./median.mjs";
import { startRegistry } from "./registry.mjs";

const usage = `Usage: node bench/transfer.mjs [--rounds N] [--mebibytes 1024] [--no-save]
`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    mebibytes: { type: "string", default: "1024" },
    "no-save": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}

const mebibytes = Number(options.mebibytes);
const scratch = process.env.UNDOCKED_BENCH_DIR ?? join(tmpdir(), "undocked-bench");
mkdirSync(scratch, { recursive: true });
const undocked = `'${process.execPath}' '${fileURLToPath(new URL("../packages/cli/dist/undocked.js", import.meta.url))}'`;
const tools = [
  {
    name: "undocked",
    upload: (from, to) => `${undocked} copy -q 'oci:${from}:v1' '${to}'`,
    download: (from, to) => `${undocked} copy -q '${from}' 'oci:${to}:v1'`,
  },
  {
    name: "skopeo",
    upload: (from, to) => `skopeo copy -q --dest-tls-verify=false 'oci:${from}:v1' 'docker://${to}'`,
    download: (from, to) => `skopeo copy -q --src-tls-verify=false 'docker://${from}' 'oci:${to}:v1'`,
  },
];

const layout = join(scratch, `transfer-${mebibytes}`);
if (!existsSync(layout)) makeLayout(layout);
const results = [];
for (let round = 1; round <= Number(options.rounds); round += 1) {
  // Who comes first changes from round to round.
  for (const tool of round % 2 === 1 ? tools : tools.toReversed()) await runTool(tool, round);
}

const report = {
  date: new Date().toISOString(),
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
  rounds: Number(options.rounds),
  mebibytes,
  skopeo: execFileSync("skopeo", ["--version"], { encoding: "utf8" }).trim(),
  results,
};
const text = formatReport(report);
console.log(`\n${text}`);
if (!options["no-save"]) {
  const directory = fileURLToPath(new URL("results/", import.meta.url));
  mkdirSync(directory, { recursive: true });
  const stem = join(directory, `${report.date.slice(0, 10)}-transfer`);
  writeFileSync(`${stem}.json`, `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(`${stem}.md`, text);
}

/** A registry of its own for each, so that neither finds what the other pushed. */
async function runTool(tool, round) {
  const registry = await startRegistry(join(scratch, "transfer-registry"));
  const state = join(scratch, "transfer-state");
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { recursive: true });
  const home = { HOME: state, XDG_DATA_HOME: state, TMPDIR: state };
  const env = { ...process.env, ...home, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" };
  const image = `${new URL(registry.direct).host}/bench/large:1`;
  try {
    // Into the page cache, for both alike.
    execFileSync("bash", ["-c", `cat '${layout}'/blobs/sha256/* >/dev/null`]);
    for (const way of ["upload", "download"]) {
      const script = way === "upload" ? tool.upload(layout, image) : tool.download(image, join(state, "out"));
      const measured = await measure(script, { env, scratch });
      results.push({ tool: tool.name, round, way, ...measured });
      const { wall, cpu, peak } = measured;
      console.log(
        `${way} ${tool.name}: ${wall.toFixed(2)} s, cpu ${cpu.toFixed(2)} s, ${peak.toFixed(0)} MB`,
      );
    }
  } finally {
    await registry.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

/** An image of one layer of noise, gzipped without compression: neither tool touches it on the way. */
function makeLayout(directory) {
  const part = `${directory}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(join(part, "blobs/sha256"), { recursive: true });
  const keep = (mediaType, bytes) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(part, "blobs/sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const type = (name) => `application/vnd.oci.image.${name}`;
  const { layer, diffId } = makeLayer(part, type("layer.v1.tar+gzip"));
  const config = keep(
    type("config.v1+json"),
    json({ architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [diffId] } }),
  );
  const manifest = keep(
    type("manifest.v1+json"),
    json({ schemaVersion: 2, mediaType: type("manifest.v1+json"), config, layers: [layer] }),
  );
  const annotations = { "org.opencontainers.image.ref.name": "v1" };
  writeFileSync(
    join(part, "index.json"),
    json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(part, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  renameSync(part, directory);
}

function makeLayer(directory, mediaType) {
  const [tar, zipped] = [join(directory, "layer.tar"), join(directory, "layer.tar.gz")];
  const file = openSync(join(directory, "noise"), "w");
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  for (let index = 0; index < mebibytes; index += 1)
    writeSync(file, cipher.update(Buffer.alloc(1024 * 1024)));
  closeSync(file);
  const shell = (command) =>
    execFileSync("bash", ["-euo", "pipefail", "-c", command], { cwd: directory, encoding: "utf8" });
  shell(`tar --sort=name --owner=0 --group=0 --mtime=@0 -cf '${tar}' noise`);
  shell(`gzip -n -1 -c '${tar}' > '${zipped}'`);
  const hexOf = (path) => shell(`sha256sum '${path}'`).slice(0, 64);
  const [diffId, hex, size] = [hexOf(tar), hexOf(zipped), Number(shell(`stat -c %s '${zipped}'`))];
  renameSync(zipped, join(directory, "blobs/sha256", hex));
  for (const path of [tar, join(directory, "noise")]) rmSync(path);
  return { layer: { mediaType, digest: `sha256:${hex}`, size }, diffId: `sha256:${diffId}` };
}

function json(value) {
  return Buffer.from(JSON.stringify(value));
}

function formatReport({ date, machine, rounds, mebibytes: size, skopeo, results: rows }) {
  const head = `${date.slice(0, 10)}, ${machine.cores} cores (${machine.cpu}), Node ${machine.node}, ${skopeo}, medians of ${rounds}, one layer of ${size} MiB. In brackets: as a multiple of skopeo's.`;
  const columns = [
    { key: "wall", title: "wall s", digits: 2 },
    { key: "cpu", title: "CPU s", digits: 2 },
    { key: "peak", title: "peak MB", digits: 0 },
  ];
  const figure = (tool, way, key) =>
    median(rows.filter((row) => row.tool === tool && row.way === way).map((row) => row[key]));
  const lines = ["upload", "download"].flatMap((way) =>
    tools.map(({ name }) => {
      const cells = columns.map(({ key, digits }) => {
        const [value, theirs] = [figure(name, way, key), figure("skopeo", way, key)];
        return name === "skopeo"
          ? value.toFixed(digits)
          : `${value.toFixed(digits)} (${(value / theirs).toFixed(2)})`;
      });
      const speed = ((size * 1024 * 1024) / 1e6 / figure(name, way, "wall")).toFixed(0);
      return `| ${way} | ${name} | ${cells.join(" | ")} | ${speed} |`;
    }),
  );
  return [
    head,
    "",
    `| | tool | ${columns.map(({ title }) => title).join(" | ")} | MB/s |`,
    "| --- | --- | ---: | ---: | ---: | ---: |",
    ...lines,
    "",
  ].join("\n");
}
