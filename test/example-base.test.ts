import { readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { buildElf } from "./support/tiny-elf.ts";

test("the shell of the example base is the smallest static program, which ends at once", () => {
  const shell = new URL("../examples/base/rootfs/usr/bin/sh", import.meta.url);
  expect(readFileSync(shell)).toEqual(Buffer.from(buildElf({})));
  expect(statSync(shell).mode & 0o100).toBe(0o100);
});
