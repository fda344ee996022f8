import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export type Language = "c" | "go" | "rust";

/** How the program is linked. `dynamic` is there to show that the build refuses it. */
export type Linking = "static" | "dynamic";

const run = promisify(execFile);

/** Compiles the server. Go's is static either way as soon as cgo is off, so it has no dynamic form here. */
export async function compile(
  language: Language,
  output: string,
  linking: Linking = "static",
): Promise<void> {
  const source = (name: string) => fileURLToPath(new URL(`server/${name}`, import.meta.url));
  const program = resolve(output);
  const isStatic = linking === "static";
  await mkdir(dirname(program), { recursive: true });
  switch (language) {
    case "c":
      await run("gcc", [
        "-O2",
        "-Wall",
        "-Wextra",
        ...(isStatic ? ["-static"] : []),
        "-o",
        program,
        source("main.c"),
      ]);
      return;
    case "go":
      await run("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", program, source("main.go")], {
        env: { ...process.env, CGO_ENABLED: "0", GO111MODULE: "off", GOOS: "linux", GOARCH: "amd64" },
      });
      return;
    case "rust":
      await run("rustc", [
        "--edition=2021",
        "-O",
        "-C",
        `target-feature=${isStatic ? "+" : "-"}crt-static`,
        "-o",
        program,
        source("main.rs"),
      ]);
      return;
  }
}
