// One command under GNU time: wall from our clock, CPU and peak memory from the kernel's accounts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";

/**
 * `cpu` is user and system seconds of all processes of the command; `peak` is MB of its largest process; `written` is bytes that went
 * to disks, as far as the kernel accounts for them.
 *
 * @throws {Error} with the command's output if it does not end with 0
 */
export async function measure(script, { env, scratch }) {
  const report = `${scratch}/time`;
  const began = performance.now();
  const child = spawn(
    "time",
    ["-q", "-f", "%U %S %M %O", "-o", report, "bash", "-euo", "pipefail", "-c", script],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env,
    },
  );
  const output = [];
  child.stdout.on("data", (chunk) => output.push(chunk));
  child.stderr.on("data", (chunk) => output.push(chunk));
  const [code] = await once(child, "close");
  const wall = (performance.now() - began) / 1000;
  if (code !== 0) {
    const said = Buffer.concat(output).toString().slice(0, 2000);
    throw new Error(`It ended with ${code}: ${script}\n${said}`);
  }
  const [user, system, kibibytes, blocks] = readFileSync(report, "utf8").trim().split(" ").map(Number);
  rmSync(report);
  return { wall, cpu: user + system, peak: (kibibytes * 1024) / 1e6, written: blocks * 512 };
}
