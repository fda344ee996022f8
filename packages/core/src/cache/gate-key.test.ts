import { expect, test } from "vitest";
import { bytesContent } from "../context/memory-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { gateKey } from "./gate-key.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const program: Entry = {
  kind: "file",
  path: "bin/program",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  content: { ...bytesContent(Buffer.from("a program")), identity: "1" },
};
const key = gateKey([program], amd64, "judge 1");

test.each([
  ["another path", gateKey([{ ...program, path: "bin/other" }], amd64, "judge 1")],
  [
    "another identity",
    gateKey([{ ...program, content: { ...program.content, identity: "2" } }], amd64, "judge 1"),
  ],
  ["another platform", gateKey([program], { ...amd64, architecture: "arm64" }, "judge 1")],
  ["another judge", gateKey([program], amd64, "judge 2")],
])("executables are judged again for %s", (_, other) => {
  expect(other).toBeDefined();
  expect(other).not.toBe(key);
});

test("a mode and an owner change nothing", () => {
  expect(gateKey([{ ...program, mode: 0o644, uid: 7 }], amd64, "judge 1")).toBe(key);
});

test("a file without an identity has no key", () => {
  const { identity: _, ...content } = program.content;
  expect(gateKey([{ ...program, content }], amd64, "judge 1")).toBeUndefined();
});
