// What the proof of a start costs: the same build over a base with its index kept, with and without `preflight`.
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { buildImage } from "../packages/core/dist/index.js";

const rounds = Number(process.argv[2] ?? 15);
const wanted = 86e6;
const scratch = join(process.env.UNDOCKED_BENCH_DIR ?? join(tmpdir(), "undocked-bench"), "preflight");
rmSync(scratch, { recursive: true, force: true });
mkdirSync(join(scratch, "context"), { recursive: true });

/** This machine's loader, libraries and programs, up to the size. */
function pickFiles() {
  const loader = "/lib64/ld-linux-x86-64.so.2";
  const program = "/usr/bin/git";
  const needed = execFileSync(loader, ["--list", program], { encoding: "utf8" });
  const picked = [loader, program, ...[...needed.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path)];
  let size = 0;
  for (const directory of ["/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/share/perl"]) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory).sort()) {
      const stat = lstatSync(join(directory, name));
      if (!stat.isFile() || stat.size > 4e6 || size + stat.size > wanted) continue;
      size += stat.size;
      picked.push(join(directory, name));
    }
  }
  return { picked: [...new Set(picked)], size, program };
}

const { picked, size, program } = pickFiles();
writeFileSync(join(scratch, "files"), picked.join("\n"));
execFileSync("tar", ["-hcf", join(scratch, "context/base.tar"), "-P", "-T", join(scratch, "files")]);
const base = join(scratch, "base");
const cache = join(scratch, "cache");
const first = await buildImage({
  context: join(scratch, "context"),
  dockerfile: { text: "FROM scratch\nADD base.tar /\n" },
  executables: "any",
  cache,
  outputs: [{ type: "oci-layout", path: base, tag: "1" }],
});
await first[Symbol.asyncDispose]();
rmSync(join(scratch, "context/base.tar"));
writeFileSync(join(scratch, "context/app.txt"), "a small change\n");

async function build(preflight) {
  const began = performance.now();
  const image = await buildImage({
    context: join(scratch, "context"),
    dockerfile: { text: `FROM base\nCOPY . /app/\nENTRYPOINT ["${program}"]\n` },
    namedContexts: { base: `oci-layout://${base}:1` },
    executables: "any",
    preflight,
    cache,
  });
  const wall = performance.now() - began;
  const files = image.proof?.steps.length ?? 0;
  await image[Symbol.asyncDispose]();
  return { wall, files };
}

const cold = await build("error");
const times = { error: [], off: [] };
for (let round = 0; round < rounds; round += 1) {
  for (const preflight of ["error", "off"]) times[preflight].push((await build(preflight)).wall);
}
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const [on, off] = [median(times.error), median(times.off)];
console.log(`base ${(size / 1e6).toFixed(0)} MB, ${picked.length} files; ${cold.files} files in the proof`);
console.log(`index made: ${cold.wall.toFixed(0)} ms; index kept, median of ${rounds}:`);
console.log(
  `preflight ${on.toFixed(1)} ms, off ${off.toFixed(1)} ms, difference ${(on - off).toFixed(1)} ms`,
);
