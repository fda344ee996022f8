import { posix } from "node:path";
import { UndockedError, type ContainerConfig, type Diagnostic } from "@undocked/registry";
import type { SourceNode } from "../context/source-tree.ts";
import type { RootFs } from "../rootfs/rootfs.ts";

/** The program that a container would start, as far as it can be told without running a shell. */
interface Program {
  /** As the configuration names it. */
  readonly name: string;
  /** How it came to be the program: `ENTRYPOINT $ENTRYPOINT is "/bin/abc -d"`. */
  readonly because: string;
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What a shell does itself (POSIX.1-2017, XCU 2.9.1 and 2.14, and its reserved words): no file has to be there for it.
const shellWords = new Set(
  ". : ! [ { } alias bg break case cd command continue do done echo elif else esac eval exec exit export false fc fg fi for getopts hash if in jobs kill local printf pwd read readonly return set shift test then times trap true type ulimit umask unalias unset until wait while".split(
    " ",
  ),
);

/**
 * Warns when the program that the image starts with is not in the image, or cannot be executed: a directory, a file without
 * an x bit.
 */
export function checkEntrypoint(config: ContainerConfig, root: RootFs): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const program of programs(config)) {
    const warning = judge(program, config, root);
    if (warning !== undefined) found.push(warning);
  }
  return found;
}

/** The executable itself and, for a shell with `-c`, the first program of its text. */
function programs(config: ContainerConfig): Program[] {
  const argv = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const [name, flag, text] = argv;
  if (name === undefined || name === "") return [];
  const key = (config.Entrypoint ?? []).length > 0 ? "ENTRYPOINT" : "CMD";
  const own = { name, because: `${key} is ${JSON.stringify(argv)}` };
  const inner = flag === "-c" && text !== undefined ? shellProgram(text, config, key) : undefined;
  return inner === undefined ? [own] : [own, inner];
}

function shellProgram(text: string, config: ContainerConfig, key: string): Program | undefined {
  const variable = /^\s*"?\$(?:\{(\w+)\}|(\w+))"?(?=\s|$)/.exec(text);
  const value = variable === null ? undefined : environment(config, variable[1] ?? variable[2] ?? "");
  if (variable !== null && value === undefined) return undefined;
  const command = value ?? text;
  const word = firstWord(command);
  if (word === undefined) return undefined;
  return {
    name: word,
    because:
      value === undefined ? `${key} is ${text}` : `${key} is ${text}, and that is ${JSON.stringify(value)}`,
  };
}

/** `undefined` where a shell would have to be asked: quotes, expansions, operators, built-in commands. */
function firstWord(command: string): string | undefined {
  const words = command
    .trim()
    .split(/\s+/)
    .filter((word) => !/^\w+=[^"'`$\\]*$/.test(word));
  const first = words.find((word) => word !== "exec");
  return first !== undefined && /^[\w./+@%:,-]+$/.test(first) && !shellWords.has(first) ? first : undefined;
}

function judge(program: Program, config: ContainerConfig, root: RootFs): Diagnostic | undefined {
  const path = locate(program.name, config, root);
  if (path === undefined) {
    const searched = program.name.includes("/")
      ? ""
      : ` in PATH (${environment(config, "PATH") ?? defaultPath})`;
    return warning(
      "ENTRYPOINT_NOT_FOUND",
      `${program.name} is not there${searched}, and the image starts with it: ${program.because}.`,
      "Copy the program to that path, or name the path that it has in the image.",
    );
  }
  const node = at(root, path);
  if (node?.kind === "directory") {
    return warning(
      "ENTRYPOINT_IS_DIRECTORY",
      `${path} is a directory, and the image starts with it: ${program.because}.`,
      "Name the program in that directory.",
    );
  }
  if (node !== undefined && (node.mode & 0o111) === 0) {
    return warning(
      "ENTRYPOINT_NOT_EXECUTABLE",
      `${path} has mode ${node.mode.toString(8).padStart(4, "0")}, no x bit, and the image starts with it: ${program.because}.`,
      "Copy it with COPY --chmod=755.",
    );
  }
  return undefined;
}

/** As the runtime looks: a name with a slash from the working directory, another one in PATH. */
function locate(name: string, config: ContainerConfig, root: RootFs): string | undefined {
  const workingDir = config.WorkingDir ?? "/";
  if (name.includes("/")) {
    const path = posix.resolve("/", workingDir, name);
    return at(root, path) === undefined ? undefined : path;
  }
  return (environment(config, "PATH") ?? defaultPath)
    .split(":")
    .map((directory) => posix.resolve("/", workingDir, directory, name))
    .find((path) => at(root, path)?.kind === "file");
}

function at(root: RootFs, path: string): SourceNode | undefined {
  try {
    return root.resolve(path).node;
  } catch (error) {
    if (error instanceof UndockedError) return undefined;
    throw error;
  }
}

function environment(config: ContainerConfig, name: string): string | undefined {
  return config.Env?.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

function warning(code: string, message: string, hint: string): Diagnostic {
  return { code, severity: "warning", message, hint };
}
