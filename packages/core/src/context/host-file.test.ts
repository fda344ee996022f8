import { linkSync, mkdtempSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readAll } from "@undocked/registry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { directoryTree } from "./directory-tree.ts";
import type { FileContent } from "./source-tree.ts";

/* What becomes of a file between the first look at it and the last byte read. */

const MIB = 1024 * 1024;
const ways = ["a stream", "an open file", "a part"] as const;
let place: string;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "undocked-host-file-"));
  const names = [
    "rewritten",
    "renamed",
    "long",
    "untrusted",
    ...ways,
    ...ways.map((way) => `${way} swapped`),
  ];
  for (const name of names) {
    mkdirSync(join(place, name, "in"), { recursive: true });
    mkdirSync(join(place, name, "other"));
    for (const [directory, text] of [
      ["in", "a"],
      ["other", "b"],
    ] as const) {
      const path = join(place, name, directory, "f");
      writeFileSync(path, text.repeat(name === "long" ? 3 * MIB : 10));
      utimesSync(path, 1_500_000_000, 1_500_000_000);
    }
  }
  // Files that were written just now have no identity.
  await sleep(2100);
});
afterAll(() => {
  rmSync(place, { recursive: true });
});

function found(name: string, identities: "stat" | "none" = "stat"): FileContent {
  return directoryTree(join(place, name), { identities }).open("/in/f");
}

async function read(content: FileContent, way: (typeof ways)[number]): Promise<string> {
  if (way === "a stream") return Buffer.from(await readAll(content.stream())).toString();
  if (way === "a part") return Buffer.from(content.readAt?.(0, 10) ?? []).toString();
  const file = content.openFile?.();
  const into = Buffer.alloc(10);
  file?.read(into, 0);
  file?.close();
  return into.toString();
}

test.each(ways)("%s of a file that is as it was found leaves it its identity", async (way) => {
  const content = found(way);
  const { identity } = content;
  expect(identity).toBeDefined();
  expect(await read(content, way)).toBe("a".repeat(10));
  expect(content.identity).toBe(identity);
});

test.each(ways)("%s of another file of that size and time is told, or takes it its identity", async (way) => {
  const content = found(`${way} swapped`);
  const swap = (from: string, to: string): void => {
    renameSync(join(place, `${way} swapped`, from), join(place, `${way} swapped`, to));
  };
  swap("in", "kept");
  swap("other", "in");
  if (way === "a part") {
    expect(await read(content, way)).toBe("b".repeat(10));
    expect(content.identity).toBeUndefined();
  } else {
    await expect(read(content, way)).rejects.toMatchObject({ code: "FILE_CHANGED" });
  }
  swap("in", "other");
  swap("kept", "in");
  expect(found(`${way} swapped`).identity).toBeDefined();
});

test("a file that got another name is read, and is not known again", async () => {
  const content = found("renamed");
  linkSync(join(place, "renamed/in/f"), join(place, "renamed/link"));
  expect(await read(content, "a stream")).toBe("a".repeat(10));
  expect(content.identity).toBeUndefined();
});

test("a file with another time than it was found with is told", async () => {
  const content = found("rewritten");
  writeFileSync(join(place, "rewritten/in/f"), "c".repeat(10));
  for (const way of ["a stream", "an open file"] as const)
    await expect(read(content, way)).rejects.toMatchObject({ code: "FILE_CHANGED" });
});

test("a file that is written while it is read is told", async () => {
  const pieces = found("long").stream()[Symbol.asyncIterator]();
  await pieces.next();
  writeFileSync(join(place, "long/in/f"), "c".repeat(3 * MIB));
  const rest = async (): Promise<void> => {
    while ((await pieces.next()).done !== true);
  };
  await expect(rest()).rejects.toMatchObject({ code: "FILE_CHANGED" });
});

test("where no times are trusted, none of a file makes it another", async () => {
  const content = found("untrusted", "none");
  utimesSync(join(place, "untrusted/in/f"), 7, 7);
  expect(await read(content, "a stream")).toBe("a".repeat(10));
});
