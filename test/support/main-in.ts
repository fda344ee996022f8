import { main } from "../../packages/cli/src/main.ts";

/** Runs `undocked` in this process, from its sources, in a directory and with an empty environment. */
export async function mainIn(cwd: string, argv: readonly string[]) {
  let [stdout, stderr] = ["", ""];
  const io = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    cwd,
    env: {},
  };
  return { code: await main(argv, io), stdout, stderr };
}
