import type { Diagnostic, Platform } from "@undocked/registry";
import type { FileFormat } from "./format.ts";
import { compilerTarget } from "./machine.ts";

/** Why the kernel starts no file of that format (ENOEXEC); `undefined` for those that it may start. */
export function formatProblem(format: FileFormat, platform: Platform): Diagnostic | undefined {
  const [code, message, hint] = textOf(format, platform);
  return code === undefined ? undefined : { code, severity: "error", message, hint };
}

type Text = readonly [code: string, message: string, hint: string] | readonly [undefined, "", ""];

function textOf(format: FileFormat, platform: Platform): Text {
  const code = "EXECUTABLE_NOT_ELF";
  switch (format) {
    case "elf":
    case "script":
      return [undefined, "", ""];
    case "empty":
      return ["EXECUTABLE_EMPTY", "The file is empty.", "Build it again, or copy the right file."];
    case "script-with-bom":
      return [
        "EXECUTABLE_SCRIPT_INVALID",
        "A byte order mark stands before #!, so that the kernel does not see it.",
        "Save the script as UTF-8 without a byte order mark.",
      ];
    case "script-indented":
      return [
        "EXECUTABLE_SCRIPT_INVALID",
        "White space stands before #!, so that the kernel does not see it.",
        "Make #! the first two bytes of the file.",
      ];
    case "text":
      return [
        "EXECUTABLE_SCRIPT_INVALID",
        "The file is text without #!; a shell would run it, a container runtime does not.",
        'Begin it with #!/bin/sh, or start it as ["/bin/sh", "the file"].',
      ];
    case "mach-o":
      return [code, "The file is a Mach-O program, for macOS.", rebuild(platform)];
    case "pe":
      return [
        code,
        "The file is a PE program, for Windows or .NET.",
        `${rebuild(platform)} A .NET assembly is started as dotnet FILE.dll.`,
      ];
    case "wasm":
      return [
        code,
        "The file is WebAssembly; the kernel does not run it.",
        "Start it by a WebAssembly runtime that is in the image.",
      ];
    case "zip":
      return [
        code,
        "The file is a zip archive, perhaps a jar or a Python zipapp.",
        "Start it as java -jar FILE or python3 FILE, with that program in the image.",
      ];
    case "java-class":
      return [
        code,
        "The file is a Java class.",
        "Start it by java, or build it with native-image --static --libc=musl.",
      ];
    case "archive":
      return [
        code,
        "The file is a static library (ar archive).",
        "Link it into a program, and copy the program.",
      ];
    case "llvm-bitcode":
      return [code, "The file is LLVM bitcode.", "Compile it to a program; leave -emit-llvm out."];
    case "gzip":
    case "zstd":
      return [code, `The file is compressed (${format}).`, "Unpack it before the build."];
    case "data":
      return [code, "The file is no format that the kernel starts.", rebuild(platform)];
  }
}

function rebuild(platform: Platform): string {
  const target = compilerTarget(platform);
  if (target === undefined) return `Build it for ${platform.os}/${platform.architecture}.`;
  return `Build it for ${platform.os}/${platform.architecture}: GOOS=linux GOARCH=${target.goarch} go build, cargo build --target ${target.rust}, or zig cc -target ${target.zig}.`;
}
