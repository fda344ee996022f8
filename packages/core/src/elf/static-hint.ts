import { formatPlatform, type Platform } from "@undocked/registry";
import type { ElfFacts } from "./elf.ts";
import { compilerTarget } from "./machine.ts";

/** How to get a static program for a platform, in the words of what made the file; where that does not show, of C, C++, Go and Rust. */
export function staticHint(platform: Platform, facts?: ElfFacts): string {
  const target = compilerTarget(platform);
  if (target === undefined) return `Link it statically for ${formatPlatform(platform)}.`;
  const go = `CGO_ENABLED=0 GOOS=linux GOARCH=${target.goarch} go build, without -buildmode=pie`;
  switch (facts?.maker) {
    case "go":
      return `Link it statically: ${go}.`;
    case "node":
      return "Use a base with glibc and libstdc++, such as gcr.io/distroless/cc: Node's single executables are never static.";
    case "deno":
      return "Use a base with glibc and libgcc, such as gcr.io/distroless/cc: what deno compile makes is never static.";
    case "bun":
      return "Use a base with glibc, such as gcr.io/distroless/base: what bun build --compile makes is never static.";
    case undefined:
      return [
        `Link it statically. C and C++: ${target.gcc}-gcc -static, musl-gcc -static, or zig cc -target ${target.zig} -static.`,
        `Go: ${go}.`,
        `Rust: cargo build --release --target ${target.rust}, or RUSTFLAGS="-C target-feature=+crt-static".`,
        ...runtimeHints(facts?.needed ?? []),
      ].join(" ");
  }
}

/** For runtimes whose programs say nothing of themselves, and that need what these libraries tell. */
function runtimeHints(needed: readonly string[]): readonly string[] {
  const has = (library: string): boolean => needed.some((name) => name.startsWith(library));
  return [
    ...(has("libstdc++.so")
      ? [".NET: dotnet publish -p:PublishAot=true -p:StaticExecutable=true; Node, Deno: never static."]
      : []),
    ...(has("libz.so") ? ["GraalVM: native-image --static --libc=musl."] : []),
  ];
}
