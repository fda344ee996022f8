// What every script does first: the right Node, the packages of the lock file, a build. Plain Node, no packages.
import { spawnSync } from "node:child_process";

/** The version that the lock file is written by. */
export const pnpm = ["npx", "--yes", "pnpm@12.21.0"];

/** Ends the process with exit code 1 on a Node that is too old. */
export function requireNode(major, minor) {
  const [ownMajor, ownMinor] = process.versions.node.split(".").map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  console.error(`Node ${major}.${minor} or newer is needed; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Installs what the lock file says and compiles; ends the process if either goes wrong. */
export function installAndBuild(root) {
  requireNode(20, 19);
  run(root, [...pnpm, "install", "--frozen-lockfile"]);
  run(root, [...pnpm, "run", "build"]);
}

function run(root, [command, ...args]) {
  console.log(`$ ${[command, ...args].join(" ")}`);
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (result.error) console.error(`${command} did not start: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}
