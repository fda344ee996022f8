/** What a shell is told by its arguments. */
export type ShellCommand = ShellMode &
  (
    | /** `-c TEXT`. */ { readonly kind: "text"; readonly text: string }
    | /** A file to read. */ { readonly kind: "file"; readonly file: string }
  );

/** Which files a shell reads before all else depends on these. */
export interface ShellMode {
  /** `-l`, `--login`, and not `--noprofile`: reads the profiles. */
  readonly isLogin: boolean;
  /** `-i`, and neither `--norc` nor `--posix`. */
  readonly isInteractive: boolean;
}

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
  const long = new Set<string>();
  let letters = "";
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
      long.add(arg);
      continue;
    }
    if (!/^[-+][a-zA-Z]+$/.test(arg)) break;
    if (arg.includes("s")) return undefined;
    if (arg.startsWith("-")) letters += arg.slice(1);
    // `-o pipefail`, bash's `-O extglob`: each takes a word.
    at += arg.replace(/[^oO]/g, "").length;
  }
  const first = args[at];
  if (first === undefined) return undefined;
  const mode: ShellMode = {
    isLogin: (letters.includes("l") || long.has("--login")) && !long.has("--noprofile"),
    isInteractive: letters.includes("i") && !long.has("--norc") && !long.has("--posix"),
  };
  return letters.includes("c")
    ? { ...mode, kind: "text", text: first }
    : { ...mode, kind: "file", file: first };
}
