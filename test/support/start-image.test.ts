import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../examples/eywa/compile.ts";
import { directory, file } from "./bases.ts";
import { makeImage, writeMade } from "./make-image.ts";
import { privatePodman } from "./podman.ts";
import { startImage, startTools } from "./start-image.ts";
import { lacks, lacksRoot } from "./tools.ts";

describe.skipIf(lacks(...startTools, "gcc") || lacksRoot)("a started image", () => {
  const place = mkdtempSync(join(tmpdir(), "undocked-start-test-"));
  const layout = join(place, "layout");

  beforeAll(async () => {
    await compile("c", join(place, "server"));
    const server = await readFile(join(place, "server"));
    const image = await makeImage({
      config: { WorkingDir: "/home/app", Entrypoint: ["./server"] },
      layers: [
        [
          ...["home", "home/app", "home/app/templates", "proc", "dev", "sys"].map((name) => directory(name)),
          file("home/app/server", server, 0o755),
          file("home/app/templates/index.html", "hello\n"),
        ],
      ],
    });
    await writeMade(image, layout, "web");
    const broken = await makeImage({ config: { Entrypoint: ["/nothing"] }, layers: [[directory("etc")]] });
    await writeMade(broken, `${layout}-broken`, "web");
  });
  afterAll(() => rmSync(place, { recursive: true }));

  test("answers, in its own working directory and network", async () => {
    await using first = await startImage({ layout, tag: "web" });
    await using second = await startImage({ layout, tag: "web" });
    for (const image of [first, second]) {
      expect(await image.get("http://127.0.0.2:8082/")).toEqual({ status: 200, body: "hello\n" });
      expect(await image.get("http://127.0.0.2:8082/other")).toMatchObject({ status: 404 });
    }
  });

  test("that cannot start tells how it ended", async () => {
    await using image = await startImage({ layout: `${layout}-broken`, tag: "web" });
    expect(await image.ended).not.toBe(0);
    await expect(image.get("http://127.0.0.2:8082/")).rejects.toThrow(/ended with 127.*nothing/s);
  });

  test.skipIf(lacks("podman", "runc", "skopeo"))("answers from podman too", async () => {
    await using podman = await privatePodman();
    await promisify(execFile)("skopeo", [
      "copy",
      "-q",
      `oci:${layout}:web`,
      `docker-archive:${layout}.tar:t/web:1`,
    ]);
    await podman.command("load", "-i", `${layout}.tar`);
    await using image = podman.start("docker.io/t/web:1");
    expect(await image.get("http://127.0.0.2:8082/")).toEqual({ status: 200, body: "hello\n" });
  });

  test.skipIf(lacks("runc"))("answers from a container too", async () => {
    await using image = await startImage({ layout, tag: "web", by: "runc" });
    expect(await image.get("http://127.0.0.2:8082/")).toEqual({ status: 200, body: "hello\n" });
  });
});
