import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a program and gives what it printed; what takes longer than three minutes has failed. */
export function run(program, args, { cwd } = {}) {
  return execute(program, args, { cwd, timeout: 180_000 });
}
