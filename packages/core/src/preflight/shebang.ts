import { SHEBANG_SIZE } from "./file-facts.ts";

/** Scripts that name scripts: the kernel goes five deep (fs/exec.c, `exec_binprm`). */
export const MOST_SCRIPTS = 5;

/** What the kernel makes of a script's first line (fs/binfmt_script.c). */
export type Shebang =
  | {
      readonly kind: "interpreter";
      readonly path: string;
      /** All that follows, as one argument. */
      readonly argument?: string;
    }
  /** Nothing behind `#!`. */
  | { readonly kind: "unnamed" }
  /** The interpreter's name does not end within the buffer. */
  | { readonly kind: "too-long" };

/** @param head - the first {@link SHEBANG_SIZE} bytes, as Latin-1 */
export function parseShebang(head: string): Shebang {
  const buffer = head.slice(2, SHEBANG_SIZE);
  const end = /[\n\0]/.exec(buffer)?.index;
  const line = buffer.slice(0, end).replace(/^[ \t]+/, "");
  const [path = ""] = line.split(/[ \t]/, 1);
  if (path === "") return { kind: end === undefined && head.length >= SHEBANG_SIZE ? "too-long" : "unnamed" };
  if (end === undefined && head.length >= SHEBANG_SIZE && path.length === line.length) {
    return { kind: "too-long" };
  }
  const argument = line.slice(path.length).replace(/^[ \t]+|[ \t]+$/g, "");
  return { kind: "interpreter", path: utf8(path), ...(argument === "" ? {} : { argument: utf8(argument) }) };
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
