// Installs the runtimes of runtimes.json, or those that are named, into a directory: `node test/runtimes/install.mjs DIRECTORY
// [NAME]...`, and then `UNDOCKED_RUNTIMES=DIRECTORY npx vitest run test/runtimes`. Each becomes a program DIRECTORY/NAME.
// What does not install or start here, in its time, is said and left out.
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { debianNode } from "./debian.mjs";
import { run } from "./run.mjs";

const [destination, ...names] = process.argv.slice(2);
if (destination === undefined) throw new Error("node test/runtimes/install.mjs DIRECTORY [NAME]...");
const directory = resolve(destination);
const runtimes = JSON.parse(readFileSync(new URL("runtimes.json", import.meta.url), "utf8"));
const unknown = names.filter((name) => !runtimes.some((runtime) => runtime.name === name));
if (unknown.length > 0) throw new Error(`Not in runtimes.json: ${unknown.join(", ")}`);

await Promise.all(runtimes.filter(({ name }) => names.length === 0 || names.includes(name)).map(install));

async function install(runtime) {
  const program = join(directory, runtime.name);
  const place = join(directory, ".installed", runtime.name);
  mkdirSync(place, { recursive: true });
  try {
    const text = await (runtime.npm === undefined ? debianNode(runtime, place) : npmProgram(runtime, place));
    writeFileSync(program, text);
    chmodSync(program, 0o755);
    const { stdout } = await run(program, ["--version"]);
    console.log(`${runtime.name}: ${stdout.split("\n")[0]}`);
  } catch (error) {
    rmSync(program, { force: true });
    console.log(`${runtime.name} is left out: ${String(error.stderr || error.message).trim()}`);
  }
}

async function npmProgram({ npm, program }, place) {
  const flags = ["--silent", "--no-save", "--no-audit", "--no-fund", "--fetch-retries=5", "--prefix", place];
  await run("npm", ["install", ...flags, npm]);
  return `#!/bin/sh\nexec '${join(place, "node_modules", program)}' "$@"\n`;
}
