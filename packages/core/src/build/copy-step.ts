import { bytesContent } from "../context/memory-tree.ts";
import type { FileContent, SourceTree } from "../context/source-tree.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import { pathMatcher } from "../dockerfile/path-match.ts";
import type { Entry } from "../layer/entry.ts";
import { layerFiles } from "../layer/layer-files.ts";
import type { AddStep, CopyStep } from "../plan/plan.ts";
import type { CopyStep as CopyRequest, PathMatch, WrittenFile } from "../rootfs/copy-step.ts";
import { add, copy } from "../rootfs/copy.ts";
import { parseOwner } from "../rootfs/owner.ts";
import { emptyRootFs, type RootFs } from "../rootfs/rootfs.ts";
import { ignoreRules, pathPattern } from "./ignore-rules.ts";
import type { Scope } from "./scope.ts";

/**
 * Does to the files what a COPY says, without reading one.
 *
 * @param tree - what its sources are looked up in
 * @param now - seconds since 1970, of what the step itself makes
 */
export function copyEntries(
  step: CopyStep | AddStep,
  root: RootFs,
  tree: SourceTree,
  now: number,
): readonly Entry[] {
  return copy(root, copyRequest(step, root, tree, now));
}

/**
 * The same for ADD, which unpacks archives; these it reads.
 *
 * @param hold - keeps what gives the archives' files until the layer is written
 * @param fetched - what its URLs gave
 */
export function addEntries(
  step: AddStep,
  root: RootFs,
  tree: SourceTree,
  now: number,
  hold: Scope["hold"],
  fetched: ReadonlyMap<string, WrittenFile>,
): Promise<readonly Entry[]> {
  const archives = (archive: FileContent) => hold(layerFiles(() => archive.stream()));
  return add(root, {
    ...copyRequest(step, root, tree, now, fetched),
    ...(step.unpack === false ? {} : { archives }),
  });
}

/** What a step says, for the engine. */
export function copyRequest(
  step: CopyStep | AddStep,
  root: RootFs,
  tree: SourceTree,
  now: number,
  fetched: ReadonlyMap<string, WrittenFile> = new Map(),
): CopyRequest {
  const { chown, chmod, exclude, parents } = step;
  const replace = replacesLinks(step);
  const unpack = step.kind === "add" && step.unpack === true;
  const sources = step.sources.map((path) => {
    const file = fetched.get(path);
    return file === undefined
      ? ({ kind: "path", tree, path } as const)
      : ({ kind: "written", ...file, unpack } as const);
  });
  const heredocs = step.heredocs.map(({ name, content }) => {
    return {
      kind: "written",
      name,
      content: bytesContent(Buffer.from(content)),
      mode: 0o644,
      mtime: now,
    } as const;
  });
  return {
    sources: [...sources, ...heredocs],
    destination: step.destination,
    match: pathMatch(),
    now,
    // Names of owners are looked up where the copy is made: with --link that is an empty root.
    ...(chown === undefined ? {} : { owner: parseOwner(chown, replace ? emptyRootFs() : root) }),
    ...(chmod === undefined ? {} : { chmod: parseChmod(chmod), ...parentMode(chmod) }),
    ...(exclude.length === 0 ? {} : { exclude: ignoreRules(exclude) }),
    ...(parents ? { parents: pathPattern } : {}),
    ...(replace ? { destinationLinks: "replace" as const } : {}),
  };
}

/** `--link`; with --chmod BuildKit does not link, silently. */
export function replacesLinks({ link, chmod }: CopyStep | AddStep): boolean {
  return link && chmod === undefined;
}

/** Go's `path.Match`; the engine asks for one pattern many times in a row, so the last one stays compiled. */
function pathMatch(): PathMatch {
  let last: { readonly pattern: string; readonly matches: (path: string) => boolean } | undefined;
  return (pattern, name) => {
    if (last?.pattern !== pattern) last = { pattern, matches: pathMatcher(pattern) };
    return last.matches(name);
  };
}

/** Directories made on the way take an octal mode, and none from a symbolic one. */
function parentMode(chmod: string): { readonly parentMode?: number } {
  return /^[0-7]+$/.test(chmod) ? { parentMode: Number.parseInt(chmod, 8) } : {};
}
