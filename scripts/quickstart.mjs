// Installs, builds, and does the main job once: a base into the embedded registry, the image of examples/hybridless over it, pushed
// and read back. Needs Node and npm only.
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { installAndBuild } from "./install.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const undocked = `${root}packages/cli/dist/bin.js`;

/** Runs a command as a user would type it, and gives what it prints. */
function run(...args) {
  console.log(`\n$ undocked ${args.map((arg) => (/[^\w./:=@-]/.test(arg) ? `"${arg}"` : arg)).join(" ")}`);
  const { status, stdout } = spawnSync(process.execPath, [undocked, ...args], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.stdout.write(stdout);
  return { status, stdout: stdout.trim() };
}

function succeed(...args) {
  const { status, stdout } = run(...args);
  if (status !== 0) throw new Error(`undocked ${args[0]} ended with ${status}`);
  return stdout;
}

installAndBuild(root);
const registry = spawn(process.execPath, [undocked, "registry", "serve"], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const host = await new Promise((resolve, reject) => {
    createInterface({ input: registry.stdout }).once("line", resolve);
    registry.once("exit", (code) => reject(new Error(`the registry ended with ${code}`)));
  });
  succeed("build", "examples/base", "-t", `${host}/amazonlinux:latest`, "--push");
  const base = `public.ecr.aws/amazonlinux/amazonlinux:latest=docker-image://${host}/amazonlinux:latest`;
  const mappings = [
    "/src:/application",
    "/config/additionalFilesDir:/includes",
    "/config/license.json:/license.json",
  ];
  const image = succeed(
    "build",
    "examples/hybridless",
    "-f",
    "examples/hybridless/config/CustomDockerFile",
    ...mappings.flatMap((mapping) => ["--map", mapping]),
    "--entrypoint",
    "/bin/abc -d",
    "--build-context",
    base,
    "-t",
    `${host}/process-abc:1.0`,
    "--push",
  );
  const manifest = await fetch(`http://${host}/v2/process-abc/manifests/${image.split("@")[1]}`);
  console.log(`\nThe registry has ${image}:`);
  console.log(JSON.stringify(await manifest.json(), null, 2));
  console.log(
    "\nA dynamic executable, here Node's own, is told from a static one before anything is pushed:",
  );
  run("inspect", process.execPath);
} finally {
  registry.kill();
}
