import { formatPlatform, type Platform } from "@undocked/registry";
import type { ElfFacts } from "./elf.ts";
import { compilerTarget, type CompilerTarget } from "./machine.ts";
import type { Maker } from "./maker.ts";

/** How to get a static program for a platform, in the words of what made the file; where that does not show, of C, C++, Go and Rust. */
export function staticHint(platform: Platform, facts?: ElfFacts): string {
  const target = compilerTarget(platform);
  if (target === undefined) return `Link it statically for ${formatPlatform(platform)}.`;
  if (facts?.maker !== undefined) return hintFor(facts.maker, target);
  return `Link it statically. C and C++: ${ofC(target)}. Go: ${ofGo(target)}. Rust: ${ofRust(target)}.`;
}

function hintFor(maker: Maker, target: CompilerTarget): string {
  switch (maker) {
    case "go":
      return `Link it statically: ${ofGo(target)}.`;
    case "rust":
      return `Link it statically: ${ofRust(target)}.`;
    case "c":
      return `Link it statically: ${ofC(target)}.`;
    case "c++":
      return `Link it statically: ${target.gcc}-g++ -static, or zig c++ -target ${target.zig} -static.`;
    case "zig":
      return `Link it statically: zig build -Dtarget=${target.zig}, or zig build-exe -target ${target.zig}.`;
    case "dotnet":
      return "Publish it ahead of time, on Alpine or with musl: dotnet publish -p:PublishAot=true -p:StaticExecutable=true. Or use a base with what .NET needs, such as mcr.microsoft.com/dotnet/runtime-deps: its single files are never static.";
    case "graalvm":
      return "Link it statically: native-image --static --libc=musl. Or link all but glibc with native-image --static-nolibc, on a base with glibc.";
    case "node":
      return "Use a base with glibc and libstdc++, such as gcr.io/distroless/cc: Node's single executables are never static.";
    case "deno":
      return "Use a base with glibc and libgcc, such as gcr.io/distroless/cc: what deno compile makes is never static.";
    case "bun":
      return "Use a base with glibc, such as gcr.io/distroless/base: what bun build --compile makes is never static.";
  }
}

function ofC({ gcc, zig }: CompilerTarget): string {
  return `${gcc}-gcc -static, musl-gcc -static, or zig cc -target ${zig} -static`;
}

function ofGo({ goarch }: CompilerTarget): string {
  return `CGO_ENABLED=0 GOOS=linux GOARCH=${goarch} go build, without -buildmode=pie`;
}

function ofRust({ rust }: CompilerTarget): string {
  return `cargo build --release --target ${rust}, or RUSTFLAGS="-C target-feature=+crt-static"`;
}
