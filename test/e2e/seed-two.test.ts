import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildServer } from "../../examples/eywa/build.ts";
import { startImage, startTools } from "../support/start-image.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

// The second seed: one statically linked web server that listens on 0.0.0.0:8082.
const compilers = { c: "gcc", go: "go", rust: "rustc" } as const;

describe("the web server of the second seed", () => {
  let place: string;
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "undocked-eywa-"));
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  for (const [language, compiler] of Object.entries(compilers) as ["c" | "go" | "rust", string][]) {
    test.skipIf(lacks(compiler, ...startTools) || lacksRoot)(
      `in ${language} answers on 127.0.0.2:8082, from scratch`,
      async () => {
        const layout = join(place, language);
        await using image = await buildServer({
          language,
          cache: false,
          outputs: [{ type: "oci-layout", path: layout, tag: "1" }],
        });
        expect(image.warnings).toEqual([]);
        expect(image.config.config).toMatchObject({
          ExposedPorts: { "8082/tcp": {} },
          WorkingDir: "/home/app",
        });
        await using started = await startImage({ layout, tag: "1" });
        const answer = await started.get("http://127.0.0.2:8082/");
        expect([answer.status, answer.body.includes("<h1>")], started.output()).toEqual([200, true]);
      },
    );
  }

  test.skipIf(lacks("gcc"))("linked dynamically in C is refused, by interpreter and libraries", async () => {
    await expect(buildServer({ language: "c", linking: "dynamic", cache: false })).rejects.toMatchObject({
      code: "EXECUTABLE_DYNAMIC",
      message: expect.stringMatching(/my-executable.*ld-linux.*libc\.so\.6/),
      hint: expect.stringContaining("-static"),
    });
  });

  test.skipIf(lacks("rustc"))(
    "linked dynamically in Rust is refused, by interpreter and libraries, with Rust's way out",
    async () => {
      await expect(buildServer({ language: "rust", linking: "dynamic", cache: false })).rejects.toMatchObject(
        {
          code: "EXECUTABLE_DYNAMIC",
          message: expect.stringMatching(/my-executable.*ld-linux.*libgcc_s\.so\.1, libc\.so\.6/),
          hint: expect.stringMatching(/^Link it statically: cargo build --release --target .*\+crt-static/),
        },
      );
    },
  );
});
