import type {
  AddInstruction,
  ArgInstruction,
  CommandLine,
  CopyInstruction,
  FromInstruction,
  Heredoc,
  Instruction,
  KeyValue,
  Statement,
} from "./ast.ts";
import { WordError } from "./error.ts";
import { readFlags, type FlagKind } from "./flags.ts";
import { chompHeredoc, parseHeredocWord } from "./heredoc.ts";
import { readHealthcheck } from "./healthcheck.ts";
import { goQuote } from "./quote.ts";
import { didYouMean, suggest } from "./suggest.ts";

/** A statement whose keyword and arguments have been understood. */
type Reader = (statement: Statement) => Instruction;

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["ADD", readAdd],
  ["ARG", readArg],
  ["CMD", (s) => ({ ...base("cmd", s), command: command(noFlags(s)) })],
  ["COPY", readCopy],
  ["ENTRYPOINT", (s) => ({ ...base("entrypoint", s), command: command(noFlags(s)) })],
  ["ENV", (s) => ({ ...base("env", s), pairs: readPairs(s) })],
  ["EXPOSE", (s) => ({ ...base("expose", s), ports: [...noFlags(atLeastOne(s)).args].sort() })],
  ["FROM", readFrom],
  ["HEALTHCHECK", (s) => ({ ...base("healthcheck", s), ...readHealthcheck(atLeastOne(s)) })],
  ["LABEL", (s) => ({ ...base("label", s), pairs: readPairs(s) })],
  ["MAINTAINER", (s) => ({ ...base("maintainer", s), maintainer: exactlyOne(s, "check-flags") })],
  ["ONBUILD", readOnbuild],
  ["RUN", readRun],
  ["SHELL", readShell],
  ["STOPSIGNAL", (s) => ({ ...base("stopsignal", s), signal: exactlyOne(s, "ignore-flags") })],
  ["USER", (s) => ({ ...base("user", s), user: exactlyOne(s, "check-flags") })],
  ["VOLUME", readVolume],
  ["WORKDIR", (s) => ({ ...base("workdir", s), path: exactlyOne(s, "check-flags") })],
]);

/** All keywords, in upper case. */
export const keywords: readonly string[] = [...readers.keys()];

/**
 * Gives a statement its meaning.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, with BuildKit's message
 */
export function readInstruction(statement: Statement): Instruction {
  const read = readers.get(statement.keyword);
  if (read === undefined) {
    const meant = didYouMean(suggest(statement.written, keywords, { case: "fold" }));
    throw new WordError(`unknown instruction: ${statement.written}${meant}`, undefined, statement.written);
  }
  return read(statement);
}

function base<Kind extends Instruction["kind"]>(
  kind: Kind,
  statement: Statement,
): { kind: Kind; at: Statement["at"]; statement: Statement } {
  return { kind, at: statement.at, statement };
}

function noFlags(statement: Statement): Statement {
  readFlags(statement.flags, {});
  return statement;
}

function atLeastOne(statement: Statement): Statement {
  if (statement.args.length === 0) {
    throw new WordError(`${statement.keyword} requires at least one argument`);
  }
  return statement;
}

function exactlyOne(statement: Statement, flags: "check-flags" | "ignore-flags"): string {
  const [only, ...others] = statement.args;
  if (only === undefined || others.length > 0) {
    throw new WordError(`${statement.keyword} requires exactly one argument`);
  }
  if (flags === "check-flags") noFlags(statement);
  return only;
}

function command({ args, json }: Statement): CommandLine {
  return json ? { form: "exec", words: args } : { form: "shell", text: args[0] ?? "" };
}

function readPairs(statement: Statement): KeyValue[] {
  const { keyword, args } = atLeastOne(noFlags(statement));
  const pairs: KeyValue[] = [];
  for (let at = 0; at + 1 < args.length; at += 3) {
    const [key = "", value = ""] = args.slice(at, at + 2);
    if (key === "") throw new WordError(`${keyword} names can not be blank`);
    pairs.push({ key, value });
  }
  return pairs;
}

function readArg(statement: Statement): ArgInstruction {
  const args = atLeastOne(statement).args.map((word) => {
    const equals = word.indexOf("=");
    if (equals === 0) throw new WordError("ARG names can not be blank");
    return equals < 0 ? { key: word } : { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  return { ...base("arg", statement), args };
}

function readFrom(statement: Statement): FromInstruction {
  const [image = "", as, name, ...others] = statement.args;
  const three = name !== undefined && others.length === 0 && as?.toLowerCase() === "as";
  if (statement.args.length !== 1 && !three) {
    throw new WordError("FROM requires either one or three arguments");
  }
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name.toLowerCase())) {
    throw new WordError(
      `invalid name for build stage: ${goQuote(name)}, name can't start with a number or contain symbols`,
      undefined,
      name,
    );
  }
  const platform = readFlags(statement.flags, { platform: "text" }).text("platform");
  return {
    ...base("from", statement),
    base: image,
    ...(platform === undefined ? {} : { platform }),
    ...(name === undefined ? {} : { as: name }),
  };
}

const COPY_FLAGS: Readonly<Record<string, FlagKind>> = {
  from: "text",
  chown: "text",
  chmod: "text",
  link: "switch",
  parents: "switch",
  exclude: "texts",
};
const ADD_FLAGS: Readonly<Record<string, FlagKind>> = {
  chown: "text",
  chmod: "text",
  link: "switch",
  "keep-git-dir": "switch",
  checksum: "text",
  unpack: "switch",
  exclude: "texts",
};

function readCopy(statement: Statement): CopyInstruction {
  const words = sourcesAndDestination(statement);
  const flags = readFlags(statement.flags, COPY_FLAGS);
  const [from, chown, chmod] = ["from", "chown", "chmod"].map((name) => flags.text(name));
  return {
    ...base("copy", statement),
    ...words,
    ...(from === undefined ? {} : { from }),
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
    link: flags.switched("link") ?? false,
    parents: flags.switched("parents") ?? false,
    exclude: flags.texts("exclude"),
  };
}

function readAdd(statement: Statement): AddInstruction {
  const words = sourcesAndDestination(statement);
  const flags = readFlags(statement.flags, ADD_FLAGS);
  const [chown, chmod, checksum] = ["chown", "chmod", "checksum"].map((name) => flags.text(name));
  const unpack = flags.switched("unpack");
  return {
    ...base("add", statement),
    ...words,
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
    ...(checksum === undefined ? {} : { checksum }),
    ...(unpack === undefined ? {} : { unpack }),
    link: flags.switched("link") ?? false,
    keepGitDir: flags.switched("keep-git-dir") ?? false,
    exclude: flags.texts("exclude"),
  };
}

/** The words of COPY and ADD; a word that announces a heredoc is its file. */
function sourcesAndDestination(
  statement: Statement,
): Pick<CopyInstruction, "sources" | "heredocs" | "destination"> {
  const { keyword, args } = statement;
  const destination = args.at(-1);
  if (destination === undefined || args.length < 2) {
    throw new WordError(
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
      `Name what to take and where it goes: ${keyword} SOURCE … DESTINATION.`,
    );
  }
  if (parseHeredocWord(destination) !== undefined) {
    throw new WordError(`${keyword} cannot accept a heredoc as a destination`);
  }
  const bodies = bodiesByName(statement.heredocs);
  const heredocs: Heredoc[] = [];
  const sources: string[] = [];
  for (const word of args.slice(0, -1)) {
    const announced = parseHeredocWord(word);
    if (announced === undefined) {
      sources.push(word);
      continue;
    }
    // Of two with one name each has its own body, where BuildKit gives both the last one. None is there for
    // a word of a JSON array: an empty file.
    const content = bodies.get(announced.name)?.pop() ?? "";
    heredocs.push({ ...announced, content: announced.chomp ? chompHeredoc(content) : content });
  }
  return { sources, heredocs, destination };
}

/** The bodies of each name, the first one last. */
function bodiesByName(heredocs: readonly Heredoc[]): ReadonlyMap<string, string[]> {
  const bodies = new Map<string, string[]>();
  for (const { name, content } of heredocs.toReversed()) {
    const known = bodies.get(name);
    if (known === undefined) bodies.set(name, [content]);
    else known.push(content);
  }
  return bodies;
}

const RUN_FLAGS: Readonly<Record<string, FlagKind>> = {
  mount: "texts",
  network: "text",
  security: "text",
  device: "texts",
};

const NETWORKS = new Set(["default", "none", "host"]);
const SECURITIES = new Set(["insecure", "sandbox"]);

function readRun(statement: Statement): Instruction {
  const flags = readFlags(statement.flags, RUN_FLAGS);
  const network = flags.text("network") ?? "default";
  if (!NETWORKS.has(network)) throw new WordError(`invalid network mode ${goQuote(network)}`);
  const security = flags.text("security") ?? "sandbox";
  if (!SECURITIES.has(security)) throw new WordError(`security ${goQuote(security)} is not valid`);
  return { ...base("run", statement), command: command(statement), heredocs: statement.heredocs };
}

function readShell(statement: Statement): Instruction {
  const { args, json } = noFlags(statement);
  if (args.length === 0) throw new WordError("SHELL requires at least one argument");
  if (!json) throw new WordError("SHELL requires the arguments to be in JSON form");
  return { ...base("shell", statement), words: args };
}

function readVolume(statement: Statement): Instruction {
  const { args } = noFlags(atLeastOne(statement));
  const paths = args.map((path) => path.trim());
  if (paths.includes("")) throw new WordError("VOLUME specified can not be an empty string");
  return { ...base("volume", statement), paths };
}

function readOnbuild(statement: Statement): Instruction {
  const { child, heredocs } = noFlags(statement);
  if (child === undefined) throw new WordError("ONBUILD requires at least one argument");
  if (child.keyword === "ONBUILD") {
    throw new WordError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (child.keyword === "FROM" || child.keyword === "MAINTAINER") {
    throw new WordError(`${child.keyword} isn't allowed as an ONBUILD trigger`);
  }
  const bodies = heredocs.map(({ content, name }) => `\n${content}${name}`);
  // As it stands, the blanks at its end too.
  const expression = statement.original.replace(/^[\t\n\f\r ]*onbuild[\t\n\f\r ]*/i, "");
  return { ...base("onbuild", statement), expression: [expression, ...bodies].join("") };
}
