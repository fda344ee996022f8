import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli, type CliRun } from "./cli.ts";

/** Runs `undocked` in a process of its own, and tells how many bytes of memory it has taken at most. */
export async function runMeasured(args: readonly string[]): Promise<CliRun & { readonly peak: number }> {
  const directory = mkdtempSync(join(tmpdir(), "undocked-peak-"));
  const report = join(directory, "peak");
  const hook = `data:text/javascript,import{writeFileSync}from"node:fs";process.on("exit",()=>writeFileSync(${JSON.stringify(report)},String(process.resourceUsage().maxRSS)))`;
  try {
    const run = await runCli(args, { env: { NODE_OPTIONS: `--import=${encodeURI(hook)}` } });
    return { ...run, peak: Number(readFileSync(report, "utf8")) * 1024 };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
