import type { Platform } from "@undocked/registry";
import type { ElfFacts } from "./elf.ts";
import { compilerTarget } from "./machine.ts";

/** How to get a static program for a platform; of the compiler that made the file, where that shows, and else of C, Go and Rust. */
export function staticHint(platform: Platform, facts?: ElfFacts): string {
  const target = compilerTarget(platform);
  if (target === undefined) return "Link it statically.";
  const go = `CGO_ENABLED=0 GOOS=linux GOARCH=${target.goarch} go build, without -buildmode=pie`;
  const rust = `cargo build --release --target ${target.rust}, or RUSTFLAGS="-C target-feature=+crt-static"`;
  const c = `${target.gcc}-gcc -static, musl-gcc -static, or zig cc -target ${target.zig} -static`;
  if (facts?.notes.owners.includes("Go") === true) return `Link it statically: ${go}.`;
  return `Link it statically. C and C++: ${c}. Go: ${go}. Rust: ${rust}.`;
}
