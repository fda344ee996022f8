import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseManifestDocument, readAll } from "@undocked/registry";
import { lambdaBase, mergedUsrBase, plainBase } from "./bases.ts";
import { writeMade } from "./make-image.ts";
import { lacks, lacksRoot } from "./tools.ts";

test("the merged base offers two platforms and two attestations", async () => {
  const { root, store } = await mergedUsrBase();
  const document = parseManifestDocument(await readAll(store.fetch(root)), root.mediaType);
  const platforms = document.kind === "index" ? document.index.manifests.map(({ platform }) => platform) : [];
  expect(platforms).toEqual([
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux", variant: "v8" },
    { architecture: "unknown", os: "unknown" },
    { architecture: "unknown", os: "unknown" },
  ]);
});

test("a base is made of the same bytes each time", async () => {
  expect((await mergedUsrBase()).root).toEqual((await mergedUsrBase()).root);
});

test.skipIf(lacks("umoci") || lacksRoot).each([
  ["plain", plainBase, "/bin/busybox"],
  ["lambda", () => lambdaBase("oci"), "busybox"],
])("umoci unpacks the %s base", async (_, make, target) => {
  const directory = mkdtempSync(join(tmpdir(), "undocked-base-"));
  try {
    await writeMade(await make(), join(directory, "layout"), "base");
    execFileSync("umoci", ["unpack", "--image", `${directory}/layout:base`, `${directory}/bundle`]);
    const rootfs = join(directory, "bundle/rootfs");
    expect(readlinkSync(join(rootfs, "bin/sh"))).toBe(target);
    expect(statSync(join(rootfs, "tmp")).mode & 0o7777).toBe(0o1777);
    expect(readFileSync(join(rootfs, "etc/passwd"), "utf8")).toContain("root:x:0:0");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
