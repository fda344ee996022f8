import { parseArgs } from "node:util";
import { formatUsage, UsageError, type Usage } from "./args.ts";
import type { Command, Io } from "./io.ts";

interface Entry {
  readonly summary: string;
  /** Loaded only when it is called: a command starts with what it uses. */
  readonly load: () => Promise<{ readonly usage: Usage; readonly command: Command }>;
}

const commands: Readonly<Record<string, Entry>> = {
  blob: {
    summary: "Download a blob and verify it",
    load: () => import("./commands/blob.ts"),
  },
  build: {
    summary: "Build an image from a Dockerfile and file mappings",
    load: () => import("./commands/build.ts"),
  },
  cache: {
    summary: "Tell what the cache holds, or make it smaller",
    load: () => import("./commands/cache.ts"),
  },
  check: {
    summary: "Tell whether an image that is there can start",
    load: () => import("./commands/check.ts"),
  },
  copy: {
    summary: "Copy an image between registries, layouts and archives",
    load: () => import("./commands/copy.ts"),
  },
  inspect: {
    summary: "Tell whether an executable can start in an image of its own",
    load: () => import("./commands/inspect.ts"),
  },
  login: {
    summary: "Log in to a registry",
    load: () => import("./commands/login.ts"),
  },
  logout: {
    summary: "Forget a login",
    load: () => import("./commands/logout.ts"),
  },
  manifest: {
    summary: "Print an image's manifest",
    load: () => import("./commands/manifest.ts"),
  },
  probe: {
    summary: "Start an image's program apart from everything, and ask its port",
    load: () => import("./commands/probe.ts"),
  },
  "registry serve": {
    summary: "Serve an OCI registry on this machine",
    load: () => import("./commands/registry-serve.ts"),
  },
  tags: {
    summary: "List the tags of a repository",
    load: () => import("./commands/tags.ts"),
  },
};

/** SIGHUP: the terminal was closed. */
const interrupting = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs one command line and gives its exit code: 0, 1 (refused or failed), 2 (wrong command line). */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new Error("interrupted"));
  for (const signal of interrupting) process.once(signal, interrupt);
  try {
    return await dispatch(argv, io, abort.signal);
  } catch (error) {
    if (error instanceof UsageError) {
      const words = ["undocked", called(argv)?.name ?? [], "--help"].flat().join(" ");
      const hint = await hintOf(error);
      io.stderr.write(
        `error: ${error.message}\n${hint === undefined ? "" : `  hint: ${hint}\n`}See ${words}.\n`,
      );
      return 2;
    }
    if (abort.signal.aborted) {
      io.stderr.write("interrupted\n");
      return 1;
    }
    return await fail(error, io);
  } finally {
    for (const signal of interrupting) process.removeListener(signal, interrupt);
  }
}

async function dispatch(argv: readonly string[], io: Io, signal: AbortSignal): Promise<number> {
  const [first = "--help"] = argv;
  if (first === "--version" || first === "-v") {
    io.stdout.write(`${await version()}\n`);
    return 0;
  }
  if (first === "help" && argv.length > 1) return await dispatch([...argv.slice(1), "--help"], io, signal);
  if (first === "--help" || first === "-h" || first === "help") {
    io.stdout.write(overview());
    return argv.length === 0 ? 2 : 0;
  }
  const known = called(argv);
  if (known === undefined) {
    const group = Object.keys(commands).filter((name) => name.startsWith(`${first} `));
    if (group.length === 0) {
      const unknown = { word: first, known: Object.keys(commands) };
      throw new UsageError(`${JSON.stringify(first)} is not a command.`, { unknown });
    }
    if (!asksForHelp(argv.slice(1))) throw notOfGroup(group, argv);
    io.stdout.write(overview(group));
    return 0;
  }
  const { usage, command } = await known.entry.load();
  const rest = argv.slice(known.name.split(" ").length);
  if (asksForHelp(rest)) {
    io.stdout.write(formatUsage(usage));
    return 0;
  }
  return await command(rest, io, signal);
}

/** @param group - commands of two words that begin as the command line does */
function notOfGroup(group: readonly string[], [first = "", second]: readonly string[]): UsageError {
  const known = group.map((name) => name.slice(first.length + 1));
  const takes = `${first} takes ${known.join(" or ")}`;
  return second === undefined
    ? new UsageError(`${takes}.`)
    : new UsageError(`${takes}, not ${JSON.stringify(second)}.`, { unknown: { word: second, known } });
}

async function hintOf({ unknown }: UsageError): Promise<string | undefined> {
  if (unknown === undefined) return undefined;
  const { hintFor } = await import("./wrong-word.ts");
  return hintFor(unknown);
}

interface Called {
  /** Of one word or two. */
  readonly name: string;
  readonly entry: Entry;
}

function called([first = "", second = ""]: readonly string[]): Called | undefined {
  for (const name of [`${first} ${second}`, first]) {
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry !== undefined) return { name, entry };
  }
  return undefined;
}

function asksForHelp(argv: readonly string[]): boolean {
  const { tokens } = parseArgs({ args: [...argv], strict: false, tokens: true });
  return tokens.some(
    (token) => token.kind === "option" && (token.rawName === "--help" || token.rawName === "-h"),
  );
}

async function fail(error: unknown, io: Io): Promise<number> {
  const { renderFailure } = await import("./render/error.ts");
  const text = renderFailure(error);
  if (text === undefined) throw error;
  io.stderr.write(text);
  return 1;
}

async function version(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const own: unknown = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  return typeof own === "object" && own !== null && "version" in own ? String(own.version) : "unknown";
}

function overview(names: readonly string[] = Object.keys(commands)): string {
  const width = Math.max(...names.map((name) => name.length));
  const rows = names.map((name) => `  ${name.padEnd(width)}  ${commands[name]?.summary ?? ""}`);
  return [
    "Usage: undocked COMMAND [OPTIONS]",
    "",
    ...rows,
    "",
    "undocked COMMAND --help tells a command's options.",
    "",
  ].join("\n");
}
