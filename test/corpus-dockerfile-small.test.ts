import {
  cleanPath,
  isGitReference,
  parseChmod,
  parseDuration,
  parsePlatformWord,
  parseSignal,
  pathMatcher,
} from "@undocked/core/dockerfile";
import { formatPlatform } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { readCorpus } from "./support/corpus.ts";

interface Misc {
  readonly signals: readonly { signal: string; number?: number; error?: string }[];
  readonly platforms: readonly { platform: string; parsed?: object; format?: string; error?: string }[];
  readonly durations: readonly { duration: string; ns?: number; error?: string }[];
  readonly clean: readonly { path: string; clean: string }[];
  readonly match: readonly { pattern: string; name: string; match?: boolean; error?: string }[];
  readonly gitRefs: readonly { ref: string | { Remote: string }; isGit: boolean; input?: string }[];
}

interface Chmod {
  readonly cases: readonly {
    readonly chmod: string;
    readonly results?: readonly { from: string; isDir: boolean; to: string }[];
    readonly error?: string;
    readonly copyFlagError?: string;
  }[];
}

const misc = readCorpus<Misc>("dockerfile/misc.json");
const chmod = readCorpus<Chmod>("dockerfile/chmod.json");
console.log(
  `misc.json: ${Object.entries(misc)
    .filter(([, list]) => Array.isArray(list))
    .map(([name, list]) => `${(list as unknown[]).length} ${name}`)
    .join(", ")}; chmod.json: ${chmod.cases.length}`,
);

/** What runs gives, or the message of what it throws. */
function outcome<T>(run: () => T): T | { error: string } {
  try {
    return run();
  } catch (error) {
    return { error: (error as Error).message };
  }
}

describe("misc.json", () => {
  test.each(misc.signals)("signal $signal", ({ signal, number, error }) => {
    expect(outcome(() => parseSignal(signal))).toEqual(error === undefined ? number : { error });
  });

  test.each(misc.platforms)("platform $platform", ({ platform, parsed, format, error }) => {
    expect(outcome(() => parsePlatformWord(platform))).toEqual(error === undefined ? parsed : { error });
    if (format !== undefined) expect(formatPlatform(parsePlatformWord(platform))).toBe(format);
  });

  test.each(misc.durations)("duration $duration", ({ duration, ns, error }) => {
    expect(outcome(() => parseDuration(duration))).toEqual(error === undefined ? ns : { error });
  });

  test.each(misc.clean)("clean $path", ({ path, clean }) => {
    expect(cleanPath(path)).toBe(clean);
  });

  test.each(misc.match)("match $pattern with $name", ({ pattern, name, match, error }) => {
    expect(outcome(() => pathMatcher(pattern)(name))).toEqual(error === undefined ? match : { error });
  });

  test.each(misc.gitRefs)("git reference $ref", ({ ref, isGit, input }) => {
    expect(isGitReference(input ?? (typeof ref === "string" ? ref : ref.Remote))).toBe(isGit);
  });
});

describe("chmod.json", () => {
  test.each(chmod.cases)("--chmod=$chmod", ({ chmod: text, results, error, copyFlagError }) => {
    if (results === undefined) {
      expect(() => parseChmod(text)).toThrow(copyFlagError ?? error);
      return;
    }
    const change = parseChmod(text);
    const got = results.map(({ from, isDir }) => change(Number.parseInt(from, 8), isDir));
    expect(got.map((mode) => mode.toString(8).padStart(4, "0"))).toEqual(results.map(({ to }) => to));
  });
});
