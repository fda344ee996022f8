import { describe, expect, test } from "vitest";
import { fileState, FileState, isTold } from "./file-state.ts";

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

const TIME = 1_600_000_000_000_000_001n;

function stateOf(changes: Partial<Record<string, bigint>>): FileState {
  const stats = { dev: 1n, ino: 2n, size: 5n, mtimeNs: TIME, ctimeNs: TIME, ...changes };
  const state = new FileState(stats);
  expect(state.name).toBe(fileState(stats));
  return state;
}

describe("the state of a file", () => {
  test.each<[string, Partial<Record<string, bigint>>, "seems unchanged" | "does not"]>([
    ["size", { size: 6n }, "does not"],
    ["number", { ino: 3n }, "does not"],
    ["number beyond 2^53", { ino: 2n ** 63n + 1n }, "does not"],
    ["device", { dev: 2n }, "seems unchanged"],
    ["time by a nanosecond", { mtimeNs: TIME + 1n }, "does not"],
    ["time by a second", { mtimeNs: TIME + 1_000_000_000n }, "does not"],
    ["time before 1970", { mtimeNs: -TIME }, "does not"],
    ["change by a nanosecond", { ctimeNs: TIME + 1n }, "seems unchanged"],
    ["change by a second", { ctimeNs: TIME - 1_000_000_000n }, "seems unchanged"],
  ])("is another with another %s", (_, changes, expected) => {
    const [state, other] = [stateOf({}), stateOf(changes)];
    expect([state.isSame(other), other.isSame(state)]).toEqual([false, false]);
    expect(state.name).not.toBe(other.name);
    expect(state.seemsUnchanged(other)).toBe(expected === "seems unchanged");
    const again = stateOf(changes);
    expect([other.isSame(again), other.name]).toEqual([true, again.name]);
  });

  test("is told from one whose number differs by less than a double can say", () => {
    const [state, other] = [stateOf({ ino: 2n ** 60n }), stateOf({ ino: 2n ** 60n + 1n })];
    expect(state.isSame(other)).toBe(false);
    expect([state.name, state.file]).not.toEqual([other.name, other.file]);
  });
});
