import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What became of a program. */
export interface Outcome {
  /** Of the shell: 126 for what execve refused, 128 and its number for a signal. */
  readonly code: number;
  readonly output: string;
}

// Not `spawn`: where execve refuses a file, libuv has /bin/sh read it.
const script = `
ulimit -c 0
for ((n = 0; n < $1; n++)); do
  (ulimit -t 2; exec "$0/$n" </dev/null 2>/dev/null >"$0/$n.out")
  echo $?
done
`;

/** Starts programs one after the other, by the kernel alone, in a directory of the test's. */
export function startForReal(directory: string, programs: readonly Uint8Array[]): readonly Outcome[] {
  mkdirSync(directory, { recursive: true });
  for (const [n, bytes] of programs.entries())
    writeFileSync(join(directory, String(n)), bytes, { mode: 0o755 });
  const { stdout } = spawnSync("bash", ["-c", script, directory, String(programs.length)], {
    encoding: "utf8",
    env: {},
    timeout: 300_000,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const codes = stdout.trim().split("\n").map(Number);
  return programs.map((_, n) => ({
    code: codes[n] ?? -1,
    output: readFileSync(join(directory, `${n}.out`), "utf8"),
  }));
}
