import { expect, test } from "vitest";
import { bytesContent } from "../context/memory-tree.ts";
import { emptyRootFs } from "../rootfs/rootfs.ts";
import { findProgram } from "./program.ts";

const elf = `\x7fELF${"\0".repeat(60)}`;
const files = {
  "/bin/app": elf,
  "/app/near": elf,
  "/bin/text": "exec /bin/app\n",
  "/bin/script": "#!/bin/app\n",
  "/bin/of-text": "#! /bin/text\n",
  "/bin/unnamed": "#!\n",
  "/bin/empty": "",
  "/bin/missing-interpreter": "#!/bin/none\n",
};

const root = emptyRootFs();
for (const [path, text] of Object.entries(files)) {
  const bytes = Buffer.from(text, "latin1");
  const node = { kind: "file", mode: 0o755, uid: 0, gid: 0, mtime: 0, size: bytes.byteLength } as const;
  root.put(path, node, bytesContent(bytes));
}
root.put(
  "/bin/closed",
  { kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 1 },
  bytesContent(Buffer.from("x")),
);

const find = (name: string, path = "/sbin:/bin") =>
  findProgram(root, {
    name,
    env: { PATH: path },
    workingDirectory: "/app",
    platform: { os: "linux", architecture: "amd64" },
  });

test.each([
  ["a path", "/bin/app", "/bin/app"],
  ["a path from the working directory", "./near", "./near"],
  ["a name in PATH", "app", "/bin/app"],
  ["a script", "script", "/bin/script"],
  ["what is not there", "/none", "/none"],
  ["what nobody may execute", "/bin/closed", "/bin/closed"],
  ["a script whose interpreter is not there", "missing-interpreter", "/bin/missing-interpreter"],
])("%s is the kernel's business", async (_, name, path) => {
  expect(await find(name)).toEqual({ path });
});

test.each(["text", "of-text", "unnamed", "empty"])("no runtime starts %s", async (name) => {
  expect(await find(name)).toEqual({ fault: `exec "${name}": exec format error` });
});

test.each([".", "", "../app:none"])("a program found through the PATH %j is refused", async (path) => {
  expect(await find("near", path)).toEqual({
    fault: 'exec "near": cannot run executable found relative to current directory',
  });
});

test("a name that PATH does not have is refused", async () => {
  expect(await find("none")).toEqual({ fault: 'exec "none": executable file not found in PATH' });
});
