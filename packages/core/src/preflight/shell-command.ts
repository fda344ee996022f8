/** What a shell is told by its arguments. */
export type ShellCommand =
  /** `-c TEXT`. */
  | { readonly kind: "text"; readonly text: string }
  /** A file to read. */
  | { readonly kind: "file"; readonly file: string };

/** Options of bash that are words, and whether the next word is their value. */
const words: Readonly<Record<string, boolean>> = {
  "--login": false,
  "--noediting": false,
  "--noprofile": false,
  "--norc": false,
  "--posix": false,
  "--restricted": false,
  "--verbose": false,
  "--init-file": true,
  "--rcfile": true,
};

/**
 * Reads the arguments of a POSIX shell, bash's and busybox' too (POSIX.1-2017, XCU sh); `undefined`: it reads its input, or nobody
 * can say.
 */
export function parseShellCommand(args: readonly string[]): ShellCommand | undefined {
  let isText = false;
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "-" || arg === "--") {
      at++;
      break;
    }
    if (arg.startsWith("--")) {
      const hasValue = words[arg];
      if (hasValue === undefined) return undefined;
      if (hasValue) at++;
      continue;
    }
    if (!/^[-+][a-zA-Z]+$/.test(arg)) break;
    if (arg.includes("s")) return undefined;
    isText ||= arg.startsWith("-") && arg.includes("c");
    // `-o pipefail`, bash's `-O extglob`: each takes a word.
    at += arg.replace(/[^oO]/g, "").length;
  }
  const first = args[at];
  if (first === undefined) return undefined;
  return isText ? { kind: "text", text: first } : { kind: "file", file: first };
}
