import type { Section } from "./sections.ts";
import type { Window } from "./window.ts";

const sizeLimit = 1 << 14;

/** What compilers and linkers say of themselves in `.comment`: a line each. `undefined`: there is none. */
export async function readComment(
  file: Window,
  sections: readonly Section[],
): Promise<readonly string[] | undefined> {
  const section = sections.find(({ name, size }) => name === ".comment" && size > 0);
  if (section === undefined) return undefined;
  const view = await file.view(section.offset, Math.min(section.size, sizeLimit));
  const lines = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("latin1").split("\0");
  return lines.filter((line) => line !== "");
}

/**
 * The language that a program was written in, by what compiled it. Every program has the start-up code of C too; `undefined`: somebody
 * has been at work whom we do not know.
 *
 * Zig names itself in debug builds alone. In the others it shows by glibc's start-up code, which everybody has from GCC and Zig
 * compiles anew, by clang.
 */
export function languageOf(
  comment: readonly string[],
  needed: readonly string[],
): "rust" | "zig" | "c" | undefined {
  const compilers = comment.filter((line) => !line.startsWith("Linker: "));
  if (compilers.some((line) => line.startsWith("rustc version "))) return "rust";
  if (compilers.some((line) => /^zig \d/.test(line))) return "zig";
  const isOfC = compilers.every((line) => line.startsWith("GCC: ") || isClang(line));
  if (!isOfC || compilers.length === 0) return undefined;
  return compilers.every(isClang) && needed.includes("libc.so.6") ? "zig" : "c";
}

function isClang(line: string): boolean {
  return /\bclang version /.test(line);
}
