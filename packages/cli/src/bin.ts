#!/usr/bin/env node
import { main } from "./main.ts";
import { nodeRefusal } from "./node-version.ts";
import { optimizeLate } from "./optimizing.ts";
import { workingDirectory } from "./working-directory.ts";
import { limitYoungSpace } from "./young-space.ts";

// Whoever read the output may go before the work is done: that ends the output, not the work. So does a full disk, which is told
// and makes the run a failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    if (stream === process.stdout)
      process.stderr.write(`error: the output cannot be written: ${error.message}\n`);
    process.once("exit", () => (process.exitCode ||= 1));
  });
}

const refusal = nodeRefusal(process.versions.node);
if (refusal === undefined) {
  optimizeLate();
  limitYoungSpace();
  process.exitCode = await main(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    get cwd() {
      return workingDirectory();
    },
    env: process.env,
  });
} else {
  process.stderr.write(`error: ${refusal}\n`);
  process.exitCode = 1;
}
