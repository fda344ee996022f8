import {
  parseDockerfile,
  type Dockerfile,
  type Instruction,
  type Statement,
} from "@undocked/core/dockerfile";
import { expect, test } from "vitest";
import { readCorpus } from "./support/corpus.ts";
import { faultOf } from "./support/fault-of.ts";

interface Node {
  readonly instruction: string;
  readonly args: readonly string[];
  readonly original: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly json?: boolean;
  readonly flags?: readonly string[];
  readonly comments?: readonly string[];
  readonly heredocs?: readonly object[];
  readonly child?: Node;
}

interface Failure {
  readonly message: string;
  readonly locations: readonly (readonly [number, number])[];
}

interface Case {
  readonly name: string;
  readonly dockerfile: string;
  readonly expected: {
    readonly error?: Failure;
    readonly instructionsError?: Failure;
    readonly escape?: string;
    readonly nodes?: readonly Node[];
    readonly warnings?: readonly { readonly line: number }[];
    readonly check?: string;
    readonly syntax?: { readonly ref: string };
    readonly metaArgs?: readonly object[];
    readonly stages?: readonly {
      readonly name: string;
      readonly base: string;
      readonly platform: string;
      readonly doc?: string;
      readonly commands: readonly object[] | null;
    }[];
  };
}

/** Cases in which what BuildKit does is an accident (shared reference, "upstream bugs"). */
const leftOut: Readonly<Record<string, string>> = {
  "own/flags-non-ascii-mojibake": "flags are decoded byte by byte upstream",
};

const { cases } = readCorpus<{ cases: readonly Case[] }>("dockerfile/parser-cases.json");
console.log(`parser-cases.json: ${cases.length} cases, ${Object.keys(leftOut).length} left out`);

for (const { name, dockerfile, expected } of cases) {
  test.skipIf(name in leftOut)(name, () => {
    const failure = expected.error ?? expected.instructionsError;
    if (failure !== undefined) {
      expectFailure(dockerfile, failure);
      return;
    }
    const parsed = parseDockerfile(dockerfile);
    expect(parsed.escape).toBe(expected.escape);
    expect(parsed.statements.map(describeStatement)).toEqual(expected.nodes?.map(describeNode));
    expect(parsed.warnings.map(({ location }) => location?.line)).toEqual(
      (expected.warnings ?? []).map(({ line }) => line),
    );
    expect(parsed.syntax?.reference).toBe(expected.syntax?.ref);
    expect(parsed.check !== undefined).toBe(expected.check !== undefined);
    expect(describeStages(parsed)).toEqual(
      (expected.stages ?? []).map((stage) => ({
        ...stage,
        commands: (stage.commands ?? []).map(withoutAccidents),
      })),
    );
    expect(parsed.globalArgs.flatMap(({ args }) => args)).toEqual(expected.metaArgs ?? []);
  });
}

function expectFailure(dockerfile: string, { message, locations }: Failure): void {
  const error = faultOf(() => parseDockerfile(dockerfile));
  expect(error.code).toBe("DOCKERFILE_SYNTAX");
  expect(error.message).toContain(message.replace(/^dockerfile parse error on line \d+: /, ""));
  const line = locations[0]?.[0] ?? 0;
  // Directives and overlong lines are located one line early upstream, an empty text at line 0.
  const early = /parser directive|escape token|greater than max/.test(message);
  expect(error.location?.line).toBe(early ? line + 1 : Math.max(line, 1));
  expect(error.diagnostics?.[0]).toMatchObject({ message: error.message, severity: "error" });
}

function describeNode(node: Node): object {
  const { child, comments = [], flags = [], heredocs = [], json = false, ...rest } = node;
  // Upstream's ONBUILD holds its child's words too.
  const onbuild = child === undefined ? {} : { args: [], child: describeChild(child) };
  return { ...rest, comments, flags, heredocs, json, ...onbuild };
}

function describeChild({ instruction, args, original, flags = [], json = false }: Node): object {
  // An unknown instruction has one empty argument upstream.
  return { instruction, args: args.join("") === "" ? [] : args, original, flags, json };
}

function describeStatement(statement: Statement): object {
  const {
    at,
    endLine,
    child,
    written: instruction,
    args,
    original,
    flags,
    json,
    heredocs,
    comments,
  } = statement;
  return {
    instruction,
    args,
    original,
    startLine: at.line,
    endLine,
    json,
    flags,
    comments,
    heredocs,
    ...(child && {
      child: {
        instruction: child.written,
        args: child.args,
        original: child.original,
        flags: child.flags,
        json: child.json,
      },
    }),
  };
}

function describeStages({ stages }: Dockerfile): object[] {
  return stages.map(({ name = "", description, from, instructions }) => ({
    name,
    ...(description === undefined ? {} : { doc: description }),
    base: from.base,
    platform: from.platform ?? "",
    commands: instructions.map(describeInstruction),
  }));
}

/** BuildKit gives two heredocs of one name the last body, and chomps when building. */
function withoutAccidents(command: object): object {
  if ("cmdline" in command && Array.isArray(command.cmdline) && command.cmdline.length === 0) {
    return { ...command, cmdline: null };
  }
  if (!("inline" in command)) return command;
  const inline = command.inline as { data: string; path: string }[];
  const repeated = new Set(inline.map(({ path }) => path)).size < inline.length;
  return {
    ...command,
    inline: inline.map(({ data, ...rest }) => ({
      ...rest,
      data: repeated ? "" : data.replaceAll(/^\t+/gm, ""),
    })),
  };
}

function describeInstruction(instruction: Instruction): object {
  switch (instruction.kind) {
    case "add":
    case "copy": {
      const {
        kind,
        sources,
        destination: dest,
        chown = "",
        chmod = "",
        link,
        exclude,
        heredocs,
      } = instruction;
      const repeated = new Set(heredocs.map((heredoc) => heredoc.name)).size < heredocs.length;
      const own =
        instruction.kind === "copy"
          ? { from: instruction.from ?? "", parents: instruction.parents }
          : {
              checksum: instruction.checksum ?? "",
              keepGitDir: instruction.statement.flags.some((flag) => flag.startsWith("--keep-git-dir"))
                ? instruction.keepGitDir
                : null,
              unpack: instruction.unpack ?? null,
            };
      const inline = heredocs.map((heredoc) => ({
        path: heredoc.name,
        expand: heredoc.expand,
        data: repeated ? "" : heredoc.content.replaceAll(/^\t+/gm, ""),
      }));
      return {
        name: kind,
        sources: sources.length === 0 ? null : sources,
        dest,
        chown,
        chmod,
        link,
        exclude: exclude.length === 0 ? null : exclude,
        ...own,
        ...(inline.length === 0 ? {} : { inline }),
      };
    }
    case "arg":
      return { name: "arg", args: instruction.args };
    case "cmd":
    case "entrypoint":
    case "run": {
      const { command, kind: name } = instruction;
      return command.form === "exec"
        ? { name, cmdline: command.words.length === 0 ? null : command.words, prependShell: false }
        : { name, cmdline: [command.text], prependShell: true };
    }
    case "env":
    case "label": {
      const legacy = instruction.statement.args[2] === "";
      return { name: instruction.kind, pairs: instruction.pairs.map((pair) => ({ ...pair, legacy })) };
    }
    case "expose":
      return { name: "expose", ports: instruction.ports };
    case "from":
      return { name: "from" };
    case "healthcheck": {
      const { test: Test, interval, timeout, startPeriod, startInterval, retries } = instruction;
      const all = {
        Interval: interval,
        Timeout: timeout,
        StartPeriod: startPeriod,
        StartInterval: startInterval,
        Retries: retries,
      };
      return {
        name: "healthcheck",
        health: { Test, ...Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0)) },
      };
    }
    case "maintainer":
      return { name: "maintainer", maintainer: instruction.maintainer };
    case "onbuild":
      return { name: "onbuild", expression: instruction.expression };
    case "shell":
      return { name: "shell", shell: instruction.words };
    case "stopsignal":
      return { name: "stopsignal", signal: instruction.signal };
    case "user":
      return { name: "user", user: instruction.user };
    case "volume":
      return { name: "volume", volumes: instruction.paths };
    case "workdir":
      return { name: "workdir", path: instruction.path };
  }
}
