/** What a loader that is started as a program is told. */
export interface LoaderCommand {
  readonly program: string;
  /** In place of `LD_LIBRARY_PATH`. */
  readonly libraryPath?: string;
}

const withValue = new Set([
  "--library-path",
  "--preload",
  "--argv0",
  "--inhibit-rpath",
  "--audit",
  "--glibc-hwcaps-prepend",
  "--glibc-hwcaps-mask",
]);

/** Reads the arguments of glibc's and musl's loaders; `undefined`: they name no program. */
export function parseLoaderCommand(args: readonly string[]): LoaderCommand | undefined {
  let libraryPath: string | undefined;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const [name = "", inline] = arg.split("=", 2);
    if (name === "--list" || name === "--verify" || name === "--help" || name === "--version")
      return undefined;
    if (withValue.has(name)) {
      if (inline === undefined) at++;
      const value = inline ?? args[at];
      if (name === "--library-path" && value !== undefined) libraryPath = value;
      continue;
    }
    if (arg.startsWith("--")) continue;
    return { program: arg, ...(libraryPath === undefined ? {} : { libraryPath }) };
  }
  return undefined;
}
