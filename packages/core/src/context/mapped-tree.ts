import { ContextError } from "./context-error.ts";
import { baseName, cleanPath, compareBytes, isWithin, joinPath, parentPath } from "./path.ts";
import { resolveInside, type Resolved } from "./resolve.ts";
import type { SourceNode, SourceTree } from "./source-tree.ts";

/** Puts a file or directory of the project into the build context. */
export interface FileMapping {
  /** In the project; `src`, `/src`, `./src` and `src/` are the same. */
  readonly from: string;
  /** In the build context, likewise. */
  readonly to: string;
}

export interface MappedTree extends SourceTree {
  /** Those of which no COPY has taken anything so far, in their order. */
  unusedMappings(): readonly FileMapping[];
}

/** A tree's view of one path: what one mapping, or the tree below all of them, has there. */
type Candidate =
  /** The mapping's target lies further below. */
  | { readonly kind: "way"; readonly mapping: Mapping }
  | {
      readonly kind: "node";
      readonly mapping?: Mapping;
      readonly tree: SourceTree;
      readonly path: string;
      readonly node: SourceNode;
    };

interface Mapping {
  readonly given: FileMapping;
  readonly source: string;
  readonly target: string;
}

/**
 * The build context with file mappings laid over it, in their order: directories merge, and of two files at one path the
 * last mapping's is there.
 *
 * @param base - the context directory; may be empty
 * @param project - what `from` is relative to
 * @param projectName - what messages call it
 * @throws {ContextError} `MAPPING_NOT_FOUND`, or `MAPPING_INVALID` when a path leaves the project or `to` is the Dockerfile
 */
export function mappedTree(
  base: SourceTree,
  project: SourceTree,
  mappings: readonly FileMapping[],
  projectName = "the project",
): MappedTree {
  // Of many files, asking through layers of views would cost more than asking the files.
  if (mappings.length === 0) return { ...base, unusedMappings: () => [] };
  const placed = placedMappings(project, mappings, projectName);
  const used = new Set<Mapping>();
  const stacks = new Map<string, readonly Candidate[]>();

  /** What is at a path, the topmost first, down to the first that is not a directory. */
  function stackAt(path: string): readonly Candidate[] {
    let stack = stacks.get(path);
    if (stack === undefined) {
      stack = untilOpaque(
        path === "/" ? rootCandidates() : stackAt(parentPath(path)).flatMap((above) => below(above, path)),
      );
      stacks.set(path, stack);
    }
    return stack;
  }

  function rootCandidates(): Candidate[] {
    const over = placed.toReversed().map((mapping): Candidate => ({ kind: "way", mapping }));
    const root = base.lstat("/");
    const under: Candidate[] =
      root === undefined ? [] : [{ kind: "node", tree: base, path: "/", node: root }];
    return [...over.flatMap((way) => below(way, "/")), ...under];
  }

  function below(above: Candidate, path: string): Candidate[] {
    if (above.kind === "way") {
      const { mapping } = above;
      if (mapping.target === path) return nodeAt(project, mapping.source, mapping);
      return isWithin(mapping.target, path) ? [above] : [];
    }
    return above.node.kind === "directory"
      ? nodeAt(above.tree, joinPath(above.path, baseName(path)), above.mapping)
      : [];
  }

  function nodeAt(tree: SourceTree, path: string, mapping: Mapping | undefined): Candidate[] {
    const node = tree.lstat(path);
    if (node === undefined) return [];
    if (mapping === undefined) return [{ kind: "node", tree, path, node }];
    if (node.kind === "socket") return [];
    return [{ kind: "node", mapping, tree, path, node }];
  }

  return {
    lstat(path) {
      const stack = stackAt(path);
      const [top] = stack;
      if (top === undefined) return undefined;
      if (top.kind === "node" && top.node.kind !== "directory") return checked(top);
      // A directory that only leads to a mapping has what a lower one says, if there is one.
      const own = stack.find((candidate) => candidate.kind === "node");
      return own === undefined ? WAY : checked(own);
    },
    list(path) {
      const names = new Set<string>();
      for (const candidate of stackAt(path)) {
        if (candidate.kind === "node")
          for (const name of candidate.tree.list(candidate.path)) names.add(name);
        else names.add(nextName(candidate.mapping.target, path));
      }
      return [...names].filter((name) => stackAt(joinPath(path, name)).length > 0).sort(compareBytes);
    },
    open(path) {
      const [top] = stackAt(path);
      if (top?.kind !== "node") throw new ContextError("FILE_CHANGED", `${path} is not a file.`);
      return top.tree.open(top.path);
    },
    taken(path) {
      for (const candidate of stackAt(path)) {
        if (candidate.kind === "way") continue;
        if (candidate.mapping !== undefined) used.add(candidate.mapping);
        candidate.tree.taken?.(candidate.path);
      }
    },
    missingHint: missingHint(placed),
    unusedMappings: () => placed.filter((mapping) => !used.has(mapping)).map(({ given }) => given),
  };
}

const WAY: SourceNode = { kind: "directory", mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 0 };

function isDirectory(candidate: Candidate): boolean {
  return candidate.kind === "way" || candidate.node.kind === "directory";
}

function untilOpaque(candidates: readonly Candidate[]): readonly Candidate[] {
  const opaque = candidates.findIndex((candidate) => !isDirectory(candidate));
  if (opaque === -1) return candidates;
  return opaque === 0 ? candidates.slice(0, 1) : candidates.slice(0, opaque);
}

function nextName(target: string, path: string): string {
  return target.slice(path === "/" ? 1 : path.length + 1).split("/", 1)[0] ?? "";
}

/** Those without a fault. */
export function soundMappings(project: SourceTree, mappings: readonly FileMapping[]): readonly FileMapping[] {
  return mappings.filter((mapping, index) => {
    try {
      placedMapping(project, mapping, index);
      return true;
    } catch (error) {
      if (error instanceof ContextError) return false;
      throw error;
    }
  });
}

/** All of them, or one error that tells the fault of each. */
function placedMappings(
  project: SourceTree,
  mappings: readonly FileMapping[],
  projectName: string,
): Mapping[] {
  const placed: Mapping[] = [];
  const errors: ContextError[] = [];
  for (const [index, mapping] of mappings.entries()) {
    try {
      placed.push(placedMapping(project, mapping, index, projectName));
    } catch (error) {
      if (!(error instanceof ContextError)) throw error;
      errors.push(error);
    }
  }
  const [first, ...more] = errors;
  if (first === undefined) return placed;
  if (more.length === 0) throw first;
  throw new ContextError(first.code, first.message, {
    cause: first,
    diagnostics: errors.map(({ code, message, hint }) => ({
      code,
      severity: "error",
      message,
      ...(hint === undefined ? {} : { hint }),
    })),
  });
}

function placedMapping(
  project: SourceTree,
  given: FileMapping,
  index: number,
  projectName = "the project",
): Mapping {
  const name = `files[${index}] (${given.from} → ${given.to})`;
  const target = cleanPath(given.to);
  if (target === "/Dockerfile") {
    throw new ContextError("MAPPING_INVALID", `${name} leads to the Dockerfile.`, {
      hint: "Give the Dockerfile by its own option.",
    });
  }
  for (const [key, path] of [
    ["from", given.from],
    ["to", given.to],
  ] as const) {
    if (leavesRoot(path)) throw outside(name, `${key} ${JSON.stringify(path)}`);
    if (path === "" || path.includes("\0")) {
      throw new ContextError("MAPPING_INVALID", `${name} has ${JSON.stringify(path)} as its ${key}.`);
    }
  }
  const { path, node, obstacle } = resolvedSource(project, given, name);
  if (node === undefined || obstacle !== undefined) {
    throw new ContextError("MAPPING_NOT_FOUND", `${name}: there is no ${path} in ${projectName}.`, {
      hint: "Correct the path, which is relative to the project's directory, or make the file first.",
    });
  }
  if (target === "/" && node.kind !== "directory") {
    throw new ContextError(
      "MAPPING_INVALID",
      `${name} leads to the root of the context, and ${path} is a ${node.kind}.`,
      { hint: "Give the file a name in `to`." },
    );
  }
  return { given, source: path, target };
}

function resolvedSource(project: SourceTree, { from }: FileMapping, name: string): Resolved {
  try {
    return resolveInside(project, from, { outside: "refuse" });
  } catch (error) {
    if (!(error instanceof ContextError) || error.code !== "SYMLINK_OUTSIDE") throw error;
    throw outside(name, `from ${JSON.stringify(from)}`, error);
  }
}

function leavesRoot(path: string): boolean {
  let depth = 0;
  for (const name of path.split("/")) {
    if (name === "..") depth--;
    else if (name !== "" && name !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

function outside(name: string, what: string, cause?: unknown): ContextError {
  return new ContextError("MAPPING_INVALID", `${name}: ${what} leads outside the project.`, {
    hint: "Map files of the project only; copy what lies outside into it first.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A mapped file is a file of its own, and gives nobody another's rights: no hard links, setuid or setgid. */
function plain({ linkGroup: _, ...node }: SourceNode): SourceNode {
  return { ...node, mode: node.mode & 0o777 };
}

/** What a mapping may bring. Looked at last, so that a .dockerignore can leave the rest out. */
function checked({ node, mapping, path }: Extract<Candidate, { kind: "node" }>): SourceNode {
  if (mapping === undefined) return node;
  if (node.kind === "file" || node.kind === "symlink" || node.kind === "directory") return plain(node);
  const { given } = mapping;
  throw new ContextError(
    "FILE_KIND_UNSUPPORTED",
    `${path}, mapped from ${given.from} to ${given.to}, is a ${node.kind}.`,
    { hint: "Remove it, or map the files beside it one by one." },
  );
}

function missingHint(mappings: readonly Mapping[]): string {
  return `Mapped into the build context are ${mappings.map(({ target }) => target.slice(1) || "/").join(", ")}.`;
}
