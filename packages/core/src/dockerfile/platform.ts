import { normalizePlatform, type Platform } from "@undocked/registry";
import { WordError } from "./error.ts";
import { goQuote } from "./quote.ts";

const OS_AND_VERSION = String.raw`^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$`;
const COMPONENT = "^[A-Za-z0-9_.-]+$";
const SYSTEMS = new Set(
  "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos".split(
    " ",
  ),
);
const KNOWN = new Set(
  "386 amd64 amd64p32 arm arm64 armbe arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm".split(
    " ",
  ),
);

/**
 * Reads a platform as `FROM --platform` takes it: `os`, `architecture`, `os/architecture[/variant]`, with
 * `os(version)` for the system. What is left out is Linux on amd64.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, naming the component that does not fit
 */
export function parsePlatformWord(text: string): Platform {
  if (text.includes("*"))
    throw new WordError(`${goQuote(text)}: wildcards not yet supported: invalid argument`);
  const [first = "", ...rest] = text.split("/");
  const system = new RegExp(OS_AND_VERSION).exec(first);
  if (system === null) {
    throw new WordError(
      `${goQuote(first)} is an invalid OS component of ${goQuote(text)}: OSAndVersion specifier component must match ${goQuote(OS_AND_VERSION)}: invalid argument`,
    );
  }
  for (const part of rest) {
    if (!new RegExp(COMPONENT).test(part)) {
      throw new WordError(
        `${goQuote(part)} is an invalid component of ${goQuote(text)}: platform specifier component must match ${goQuote(COMPONENT)}: invalid argument`,
      );
    }
  }
  if (rest.length > 2) {
    throw new WordError(`${goQuote(text)}: cannot parse platform specifier: invalid argument`);
  }
  const [, name = "", version] = system;
  const osVersion = version === undefined || version === "" ? {} : { "os.version": version };
  const [architecture, variant] = rest;
  const only = name.toLowerCase();
  const os = only === "macos" ? "darwin" : only;
  if (architecture !== undefined) return { os, ...osVersion, ...architectureOf(architecture, variant) };
  if (SYSTEMS.has(os)) return { os, ...osVersion, architecture: "amd64" };
  const machine = architectureOf(only);
  if (KNOWN.has(machine.architecture)) return { os: "linux", ...machine };
  throw new WordError(`${goQuote(text)}: unknown operating system or architecture: invalid argument`);
}

/** What is said by leaving it out is left out; what is written stays, `v8` of arm64 too. */
function architectureOf(name: string, given?: string): Pick<Platform, "architecture" | "variant"> {
  const written = given === undefined ? {} : { variant: given.toLowerCase() };
  const { architecture, variant } = normalizePlatform({
    os: "",
    architecture: name.toLowerCase(),
    ...written,
  });
  if (architecture === "arm64" && variant === undefined && given !== undefined)
    return { architecture, variant: "v8" };
  const isImplied = architecture === "arm" && variant === "v7" && given === undefined;
  return { architecture, ...(variant === undefined || isImplied ? {} : { variant }) };
}
