import { formatPlatform } from "@undocked/registry";
import type { FileFormat } from "./format.ts";
import type { ExecutableReport } from "./inspect.ts";
import type { Linkage } from "./linkage.ts";
import { architectureOf, describeMachine } from "./machine.ts";

/** What a file is, in one sentence: `A static-PIE program for linux/amd64.` Its problems tell themselves. */
export function describeExecutable(report: ExecutableReport): string {
  const { format, linkage, elf, interpreter, needed } = report;
  if (elf === undefined) {
    return format === "script" && interpreter !== undefined
      ? `A script for ${interpreter === "" ? "an interpreter that it does not name" : interpreter}.`
      : `${formats[format]}.`;
  }
  const architecture = architectureOf(elf);
  const machine =
    architecture === undefined ? describeMachine(elf) : formatPlatform({ os: "linux", architecture });
  const parts = [
    ...(interpreter === undefined ? [] : [`the interpreter ${interpreter}`]),
    ...(needed.length === 0 ? [] : [needed.join(", ")]),
  ];
  const needs = parts.length === 0 ? "" : ` that needs ${parts.join(" and ")}`;
  return `${linkages[linkage]} for ${machine}${needs}.`;
}

const linkages: Readonly<Record<Linkage, string>> = {
  static: "A static program",
  "static-pie": "A static-PIE program",
  dynamic: "A dynamically linked program",
  broken: "A program without a loader",
  packed: "A program that unpacks itself",
  shared: "A shared library",
  loader: "A loader",
  "not-executable": "An ELF file that is no program",
};

const formats: Readonly<Record<FileFormat, string>> = {
  elf: "A damaged ELF file",
  script: "A script",
  "script-with-bom": "A script behind a byte order mark",
  "script-indented": "A script behind white space",
  empty: "An empty file",
  "mach-o": "A Mach-O program, for macOS",
  "java-class": "A Java class",
  pe: "A PE program, for Windows or .NET",
  wasm: "WebAssembly",
  zip: "A zip archive",
  archive: "A static library",
  "llvm-bitcode": "LLVM bitcode",
  gzip: "A file compressed by gzip",
  zstd: "A file compressed by zstd",
  text: "Text",
  data: "Data",
};
