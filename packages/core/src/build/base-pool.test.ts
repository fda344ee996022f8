import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { file } from "../../../../test/support/bases.ts";
import { makeImage, writeMade } from "../../../../test/support/make-image.ts";
import { basePool } from "./base-pool.ts";
import { scope } from "./scope.ts";
import { openWorkspace } from "./workspace.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-bases-"));
});
afterEach(() => rmSync(place, { recursive: true }));

async function readBase(layout: string, cache: string, mostEntries: number): Promise<void> {
  await using workspace = await openWorkspace({ cache });
  await using held = scope();
  await using bases = basePool({
    workspace,
    project: place,
    namedContexts: { base: `oci-layout://${layout}:t` },
    files: {},
    call: {},
    hold: held.hold,
    emit: () => {},
    mostEntries,
  });
  await bases.open({
    key: "base",
    kind: "named",
    reference: "base",
    written: "base",
    platform: { os: "linux", architecture: "amd64" },
    use: "from",
    at: { file: "Dockerfile", line: 1, column: 1 },
  });
  await bases.rootFs("base");
}

test("the layers of an image have so many files in all, whether they are read or known", async () => {
  const layout = join(place, "layout");
  const cache = join(place, "cache");
  const layers = ["a", "b", "c"].map((layer) => [1, 2, 3].map((name) => file(`${layer}${name}`, "x")));
  await writeMade(await makeImage({ layers }), layout, "t");
  const tooMany = {
    code: "LAYER_INVALID",
    message: expect.stringContaining("has more than 8 files in its layers"),
  };
  await expect(readBase(layout, cache, 8)).rejects.toMatchObject(tooMany);
  await readBase(layout, cache, 9);
  await expect(readBase(layout, cache, 8)).rejects.toMatchObject(tooMany);
});
