// `npm test`: everything from a fresh clone. Needs Node and npm alone; arguments are handed on to vitest.
import { spawn } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { installAndBuild, pnpm } from "./install.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const countLine = /^\d+ passed, \d+ failed, \d+ skipped$/;

installAndBuild(root);
listMissingTools();
process.exitCode = await runVitest(process.argv.slice(2));

function listMissingTools() {
  const tools = JSON.parse(readFileSync(join(root, "test/support/tools.json"), "utf8"));
  const directories = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  const isThere = ({ name }) => directories.some((directory) => isExecutable(join(directory, name)));
  const missing = tools.filter((tool) => !isThere(tool));
  if (missing.length === 0) return;
  console.log("Outside tools that are not here; the tests that need them are skipped and listed by name:");
  for (const { name, package: packages, use } of missing) {
    console.log(`  ${name} (${use}; Debian: apt-get install ${packages})`);
  }
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Passes vitest's output on; the line that counts is held back, to be the last whatever comes after it. */
async function runVitest(args) {
  const [command, ...rest] = [...pnpm, "exec", "vitest", "run", ...args];
  const colour = process.stdout.isTTY ? { FORCE_COLOR: "1" } : {};
  const child = spawn(command, rest, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...colour },
  });
  const exit = new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(`${command} did not start: ${error.message}`);
      resolve(1);
    });
    child.once("close", (code) => resolve(code ?? 1));
  });
  let count;
  for await (const line of createInterface({ input: child.stdout })) {
    if (countLine.test(line)) count = line;
    else console.log(line);
  }
  const code = await exit;
  console.log(count ?? "0 passed, 1 failed, 0 skipped");
  return count === undefined ? Math.max(code, 1) : code;
}
