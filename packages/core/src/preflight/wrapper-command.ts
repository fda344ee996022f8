import { baseName } from "../context/path.ts";

/** What a program that only prepares the start of another one is told to start. */
export interface WrapperCommand {
  readonly words: readonly string[];
  /** `user[:group]` that it becomes before. */
  readonly user?: string;
}

interface Wrapper {
  readonly names: RegExp;
  /** Options that stand alone, or have their value in the same word. */
  readonly plain: RegExp;
  /** Options whose value is the next word. */
  readonly valued: readonly string[];
  /** How many words stand before the program's; `user`: one, whom it becomes. */
  readonly before: 0 | 1 | "user";
}

const wrappers: readonly Wrapper[] = [
  {
    names: /^(?:tini(?:-static)?(?:-\w+)?|docker-init)$/,
    plain: /^-(?:[swgv]+|[pe].+)$/,
    valued: ["-p", "-e"],
    before: 0,
  },
  {
    names: /^dumb-init$/,
    plain: /^(?:-[cv]+|--single-child|--verbose|-r.+|--rewrite=.+)$/,
    valued: ["-r", "--rewrite"],
    before: 0,
  },
  { names: /^catatonit$/, plain: /^-[g]$/, valued: [], before: 0 },
  { names: /^(?:gosu|su-exec)$/, plain: /^$/, valued: [], before: "user" },
  { names: /^nohup$/, plain: /^$/, valued: [], before: 0 },
  { names: /^nice$/, plain: /^(?:-n?-?\d+|--adjustment=.+)$/, valued: ["-n", "--adjustment"], before: 0 },
  {
    names: /^timeout$/,
    plain: /^(?:-[vfp]+|-[sk].+|--(?:foreground|preserve-status|verbose)|--(?:signal|kill-after)=.+)$/,
    valued: ["-s", "-k", "--signal", "--kill-after"],
    before: 1,
  },
  { names: /^stdbuf$/, plain: /^(?:-[ioe].+|--\w+=.+)$/, valued: ["-i", "-o", "-e"], before: 0 },
];

/** By its name alone. */
export function isWrapper(path: string): boolean {
  return wrappers.some(({ names }) => names.test(baseName(path)));
}

/** Reads the arguments of a known wrapper; `undefined`: it is none, or starts nothing that could be told. */
export function parseWrapperCommand(path: string, args: readonly string[]): WrapperCommand | undefined {
  const wrapper = wrappers.find(({ names }) => names.test(baseName(path)));
  if (wrapper === undefined) return undefined;
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") {
      at++;
      break;
    }
    if (wrapper.valued.includes(arg)) at++;
    else if (!arg.startsWith("-")) break;
    else if (!wrapper.plain.test(arg)) return undefined;
  }
  const rest = args.slice(at);
  const words = wrapper.before === 0 ? rest : rest.slice(1);
  if (words.length === 0) return undefined;
  return { words, ...(wrapper.before === "user" ? { user: rest[0] ?? "" } : {}) };
}
