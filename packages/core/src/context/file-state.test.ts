import { expect, test } from "vitest";
import { isTold, seemsUnchanged } from "./file-state.ts";

const now = 1_700_000_000_000;
const changed = (ago: bigint, ns = 123_456n): Parameters<typeof isTold>[0] => {
  const ctimeNs = (BigInt(now) - ago) * 1_000_000n + ns;
  return { mtimeMs: 0n, ctimeMs: ctimeNs / 1_000_000n, ctimeNs };
};

test.each<[string, ReturnType<typeof changed>, boolean]>([
  ["changed long ago", changed(5000n), true],
  ["changed within a tick", changed(1000n), false],
  ["of which the clock of the file system is ahead", changed(-60_000n), false],
  ["with a later time than that of its last change", { ...changed(5000n), mtimeMs: BigInt(now) }, false],
  ["whose change is said to be at a whole second", changed(5000n, 0n), false],
  ["whose change is said to be at a hundredth of a second, as of exFAT", changed(5010n, 0n), false],
  ["changed before 1970", { mtimeMs: 0n, ctimeMs: -5000n, ctimeNs: -5_000_000_001n }, true],
])("a file %s", (_, stats, expected) => {
  expect(isTold(stats, now)).toBe(expected);
});

test("a file seems unchanged as long as it is that file, with its size and its time", () => {
  const state = "stat:1:2:3:4:5";
  for (const other of ["stat:1:2:3:4:6", "stat:9:2:3:4:5"])
    expect(seemsUnchanged(state, other), other).toBe(true);
  for (const other of ["stat:1:2:9:4:5", "stat:1:2:3:9:5", "stat:1:9:3:4:5"])
    expect(seemsUnchanged(state, other), other).toBe(false);
});
