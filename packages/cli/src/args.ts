import { parseArgs } from "node:util";

/** A word of the command line that is none of those that could stand there. */
export interface UnknownWord {
  /** With its dashes, if it is an option. */
  readonly word: string;
  readonly known: readonly string[];
}

/** A wrong command line: exit code 2. */
export class UsageError extends Error {
  readonly unknown?: UnknownWord;

  constructor(message: string, options: { readonly cause?: unknown; readonly unknown?: UnknownWord } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    if (options.unknown !== undefined) this.unknown = options.unknown;
  }
}

/** One flag of a command, as `--name VALUE` or `--name`. */
export interface Flag {
  readonly short?: string;
  /** How its value is called in the help; a flag without one takes none. */
  readonly value?: string;
  /** Its value follows a `=` or is left away; what comes after a blank is not its own. */
  readonly isOptional?: true;
  readonly repeatable?: boolean;
  readonly help: string;
}

export interface Usage {
  /** As typed: `build [CONTEXT]`. */
  readonly synopsis: string;
  readonly summary: string;
  readonly flags: Readonly<Record<string, Flag>>;
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** The last value given. */
  text(flag: string): string | undefined;
  texts(flag: string): readonly string[];
  is(flag: string): boolean;
}

/** @throws {UsageError} for a flag that is not known, has no value, or should have none */
export function parseArguments(usage: Usage, argv: readonly string[]): Arguments {
  const { values, positionals } = parse(usage, argv);
  const all = (flag: string): readonly (string | boolean)[] => values[flag] ?? [];
  return {
    positionals,
    text: (flag) => all(flag).findLast((value) => typeof value === "string"),
    texts: (flag) => all(flag).filter((value) => typeof value === "string"),
    is: (flag) => all(flag).at(-1) === true,
  };
}

function parse(usage: Usage, argv: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(usage.flags).map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? ("boolean" as const) : ("string" as const),
        multiple: true as const,
        ...(flag.short === undefined ? {} : { short: flag.short }),
      },
    ]),
  );
  try {
    const result = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    for (const [name, given] of Object.entries(result.values)) {
      const flag = usage.flags[name];
      if (flag?.value !== undefined && flag.repeatable !== true && given !== undefined && given.length > 1) {
        throw new UsageError(`--${name} is given ${given.length} times; it can be given once.`);
      }
    }
    return result;
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof TypeError)) throw error;
    const word = /^Unknown option '(--[^'=]+)'/.exec(error.message)?.[1];
    throw new UsageError(error.message.replace(/\. To specify a positional argument.*$/s, "."), {
      cause: error,
      ...(word === undefined ? {} : { unknown: { word, known: optionsOf(usage) } }),
    });
  }
}

function optionsOf(usage: Usage): readonly string[] {
  return [...Object.keys(usage.flags), "help"].map((name) => `--${name}`);
}

/**
 * The value of a flag that has a few.
 *
 * @throws {UsageError} for another one
 */
export function choiceOf<T extends string>(
  flags: Arguments,
  flag: string,
  values: readonly T[],
): T | undefined {
  const text = flags.text(flag);
  const value = values.find((candidate) => candidate === text);
  if (text === undefined || value !== undefined) return value;
  throw new UsageError(`--${flag} is one of ${values.join(", ")}, not ${JSON.stringify(text)}.`);
}

/**
 * Splits `key=value` at the first `=`.
 *
 * @throws {UsageError} if there is no `=`
 */
export function keyValue(flag: string, text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`--${flag} takes NAME=VALUE, not ${JSON.stringify(text)}.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

export function formatUsage(usage: Usage): string {
  const rows = Object.entries(usage.flags).map(([name, flag]) => {
    const short = flag.short === undefined ? "    " : `-${flag.short}, `;
    return [`${short}--${name}${valueForm(flag)}`, flag.help] as const;
  });
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return [
    `Usage: undocked ${usage.synopsis}`,
    "",
    usage.summary,
    "",
    ...rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`),
    "",
  ].join("\n");
}

function valueForm({ value, isOptional }: Flag): string {
  if (value === undefined) return "";
  return isOptional === true ? `[=${value}]` : ` ${value}`;
}
