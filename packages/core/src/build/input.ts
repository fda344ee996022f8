import { existsSync, readFileSync } from "node:fs";
import { basename, isAbsolute, relative, resolve } from "node:path";
import { digestOf, encodeJson, UndockedError, type Digest } from "@undocked/registry";
import { directoryTree, type DirectoryTreeOptions } from "../context/directory-tree.ts";
import { unreadable } from "../context/host-file.ts";
import { mappedTree, soundMappings, type MappedTree } from "../context/mapped-tree.ts";
import { memoryTree } from "../context/memory-tree.ts";
import { observedTree, type ObservedTree } from "../context/observed-tree.ts";
import { cleanPath, isWithin } from "../context/path.ts";
import type { SourceTree } from "../context/source-tree.ts";
import { ignoreMatcher, type IgnoreMatcher } from "../dockerfile/ignore.ts";
import type { Faults } from "./faults.ts";
import { filtered, ignorePatterns, readInside } from "./ignored-tree.ts";
import type { BuildOptions } from "./options.ts";
import { withoutCache } from "./without-cache.ts";

/** The Dockerfile is not where it was said to be. */
export class InputError extends UndockedError<"DOCKERFILE_NOT_FOUND"> {}

/** What a build is made from, as far as it lies here. What is at fault is absent. */
export interface BuildInput {
  readonly dockerfile?: DockerfileText;
  /** As COPY sees it: mappings laid over, ignored files left out. */
  readonly context?: ObservedTree;
  /** What there is of it where a mapping or the ignore file is at fault. */
  readonly partial?: PartialContext;
  /** What was left out. */
  readonly ignore?: IgnoreMatcher;
  /** The same before files were ignored. */
  readonly mapped?: MappedTree;
  /** A name for what the Dockerfile and the ignore file say. */
  readonly texts?: Digest;
  /** The directory that relative paths start at. */
  readonly project: string;
}

/** What can be said of a context that has a fault. */
export interface PartialContext {
  readonly tree: SourceTree;
  /** Absolute paths: what should be there is not known. */
  readonly unknown: readonly string[];
  /** Whether it is known what is left out. */
  readonly isFiltered: boolean;
}

export interface DockerfileText {
  readonly text: string | Uint8Array;
  /** For messages. */
  readonly file: string;
  /** What `<Dockerfile>.dockerignore` says, if it is there. */
  readonly ignore: Uint8Array | undefined;
}

/** Reads what the options name. */
export function readInput(options: BuildOptions, faults: Faults): BuildInput {
  const project = resolve(options.project ?? (typeof options.context === "string" ? options.context : "."));
  const projectTree = faults.collect(() => ownTree(project, options));
  if (projectTree === undefined) return { project };
  const files = options.files ?? [];
  const base = faults.collect(() => contextTree(options, projectTree));
  const whole =
    base === undefined ? undefined : faults.collect(() => mappedTree(base, projectTree, files, project));
  const sound = whole === undefined ? soundMappings(projectTree, files) : files;
  const mapped = whole ?? (base === undefined ? undefined : mappedTree(base, projectTree, sound));
  // Without a context the Dockerfile can still be looked for, and its own faults be told.
  const trees = mapped === undefined ? [projectTree] : [mapped, projectTree];
  const source = faults.collect(() => dockerfileText(options, project, trees));
  const dockerfile = source === undefined ? {} : { dockerfile: source };
  if (mapped === undefined) return { project, ...dockerfile };
  const patterns = faults.collect(() =>
    source?.ignore === undefined
      ? ignorePatterns(readInside(mapped, "/.dockerignore"), ".dockerignore")
      : ignorePatterns(source.ignore, `${source.file}.dockerignore`),
  );
  if (whole === undefined || patterns === undefined) {
    const unknown = files.filter((mapping) => !sound.includes(mapping)).map(({ to }) => cleanPath(to));
    const isFiltered = patterns !== undefined && !unknown.some((path) => isWithin("/.dockerignore", path));
    return {
      project,
      ...dockerfile,
      partial: { tree: filtered(mapped, patterns ?? []), unknown, isFiltered },
    };
  }
  return {
    project,
    ...dockerfile,
    context: observedTree(filtered(mapped, patterns)),
    ignore: ignoreMatcher(patterns),
    mapped,
    ...(source === undefined ? {} : { texts: textsOf(source, patterns) }),
  };
}

function textsOf({ file, text }: DockerfileText, ignored: readonly string[]): Digest {
  return digestOf(encodeJson([file, digestOf(text), ignored]));
}

/** What the cache may tell the files of a directory apart by. */
export function treeOptions({ verify }: Pick<BuildOptions, "verify">): DirectoryTreeOptions {
  return { identities: verify === "content" ? "none" : "stat" };
}

function ownTree(directory: string, options: BuildOptions): SourceTree {
  return withoutCache(directoryTree(directory, treeOptions(options)), directory, options.cache);
}

/** The context directory; nothing when there are only mappings. */
function contextTree(options: BuildOptions, project: SourceTree): SourceTree {
  const { context, files } = options;
  if (typeof context === "object") return context;
  if (context !== undefined) return ownTree(resolve(context), options);
  return files === undefined ? project : memoryTree({});
}

function dockerfileText(
  options: BuildOptions,
  project: string,
  trees: readonly SourceTree[],
): DockerfileText {
  const { dockerfile, image } = options;
  if (image !== undefined) return { text: synthesised(image, options), file: "<image>", ignore: undefined };
  if (typeof dockerfile === "object" && "text" in dockerfile) {
    return { text: dockerfile.text, file: dockerfile.file ?? "<text>", ignore: undefined };
  }
  if (typeof dockerfile === "object") return hostDockerfile(dockerfile.path);
  // A leading slash means the project, never the host's root (scenario S1).
  const candidates = dockerfile === undefined ? ["/Dockerfile", "/dockerfile"] : [cleanPath(dockerfile)];
  for (const tree of trees) {
    for (const path of candidates) {
      const text = readInside(tree, path);
      if (text !== undefined)
        return { text, file: path.slice(1), ignore: readInside(tree, `${path}.dockerignore`) };
    }
  }
  throw notFound(dockerfile ?? "Dockerfile", `neither in the build context nor in ${project}`);
}

function hostDockerfile(path: string): DockerfileText {
  const host = resolve(path);
  const text =
    readHost(host) ??
    (basename(host) === "Dockerfile" ? readHost(resolve(host, "../dockerfile")) : undefined);
  if (text === undefined) {
    const meant = isAbsolute(path) && readHost(`.${path}`) !== undefined ? `.${path}` : undefined;
    throw notFound(
      path,
      isDirectory(host) ? "it is a directory" : "no such file",
      "working directory",
      meant,
    );
  }
  const shown = relative(process.cwd(), host);
  return { text, file: shown.startsWith("..") ? host : shown, ignore: readHost(`${host}.dockerignore`) };
}

function isDirectory(path: string): boolean {
  return existsSync(`${path}/.`);
}

function readHost(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (
      error instanceof Error &&
      "code" in error &&
      ["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG"].includes(String(error.code))
    )
      return undefined;
    throw unreadable(path, error);
  }
}

/**
 * @param start - of relative names
 * @param meant - a file that is there, and that the name is likely to mean
 */
function notFound(name: string, where: string, start = "project", meant?: string): InputError {
  return new InputError(
    "DOCKERFILE_NOT_FOUND",
    `The Dockerfile ${JSON.stringify(name)} is not there: ${where}.`,
    {
      hint:
        meant === undefined
          ? `Name a file, or give its text; a relative name starts at the ${start}.`
          : `Name ${meant}, which is there: a leading slash is the host's root here.`,
    },
  );
}

/** The Dockerfile of an image that has none: each mapping, or the whole context, copied to where it says, from the root. */
function synthesised(image: string, { files, context }: BuildOptions): string {
  const targets = files?.map(({ to }) => cleanPath(to)) ?? (context === undefined ? [] : ["/"]);
  const copies = targets.map((path) => `COPY ${JSON.stringify([path, path])}`);
  return [`FROM ${image}`, ...copies, ""].join("\n");
}
