import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import { readAll } from "@undocked/registry";
import { writeTar, type TarEntry } from "@undocked/registry/tar";
import { afterEach, describe, expect, test } from "vitest";
import { memoryTree, type MemoryFile } from "../context/memory-tree.ts";
import { cleanPath, joinPath } from "../context/path.ts";
import { walkTree, type FileContent, type SourceTree } from "../context/source-tree.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import { ignoreMatcher } from "../dockerfile/ignore.ts";
import { pathMatcher } from "../dockerfile/path-match.ts";
import { layerFiles, type LayerFiles } from "../layer/layer-files.ts";
import { layerTar } from "../layer/layer-tar.ts";
import { add } from "./copy.ts";
import { indexLayer } from "./index-layer.ts";
import { parseOwner } from "./owner.ts";
import { emptyRootFs, type RootFs } from "./rootfs.ts";
import { workdir } from "./workdir.ts";

/*
 * The corpus' simple Dockerfiles (no variables, no named contexts) against the bytes arm alone: each step's layer is
 * written, and what the layers say when they are read back is compared with what BuildKit made.
 */

interface CorpusEntry {
  readonly path: string;
  readonly type?: "file" | "dir" | "symlink" | "hardlink" | "fifo" | "socket" | "char";
  readonly mode?: string | number;
  readonly uid?: number;
  readonly gid?: number;
  readonly content?: string;
  readonly base64?: string;
  readonly tar?: readonly CorpusEntry[];
  readonly compress?: string;
  readonly linkTarget?: string;
  readonly mtime?: number;
}

interface CorpusCase {
  readonly id: string;
  readonly context: readonly CorpusEntry[];
  readonly dockerfile: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly review?: string;
  readonly expect: {
    readonly error?: string;
    readonly rootfs?: Readonly<Record<string, CorpusNode>>;
  };
}

interface CorpusNode {
  readonly type: string;
  readonly mode?: string;
  readonly uid: number;
  readonly gid: number;
  readonly content?: string;
  readonly linkTarget?: string;
  readonly mtime?: number;
}

const corpus = JSON.parse(
  readFileSync(new URL("../../../../test/corpus/dockerfile/semantics.json", import.meta.url), "utf8"),
) as {
  readonly contextMtime: number;
  readonly bases: Readonly<Record<string, { readonly layers: readonly (readonly CorpusEntry[])[] }>>;
  readonly cases: readonly CorpusCase[];
};

const MTIME = 1577836800;

/** Taken from the safe side, and refused with a message of our own. */
const REFUSED: Readonly<Record<string, string>> = {
  "copy-chown-negative": "OWNER_UNKNOWN",
  "copylink-chown-name": "OWNER_UNKNOWN",
  "workdir-user-unknown-name": "OWNER_UNKNOWN",
};

/** Made by programs that this test does not call; test/dockerfile/semantics.test.ts does. */
const LEFT_OUT = ["bzip2", "xz", ...("zstdCompressSync" in zlib ? [] : ["zstd"])];

const SIMPLE =
  /^(?:FROM [^\s$]+(?: AS \w+)?|(?:COPY|ADD) (?!.*(?:<<|"|\[\]|https?:))[^$\\]*|WORKDIR [^$"]+|USER [^$]+|CMD .*|)$/;

const cases = corpus.cases.filter(
  ({ dockerfile, args, context }) =>
    Object.keys(args).length === 0 &&
    dockerfile.split("\n").every((line) => SIMPLE.test(line)) &&
    /^(?:COPY|ADD|WORKDIR)/m.test(dockerfile) &&
    !dockerfile.includes("onbuild") &&
    // Parse-level refusals belong to the text arm.
    !/--chmod=(?:64a|10000)|--checksum|\.git\b/.test(dockerfile) &&
    !context.some(({ path }) => path.endsWith(".dockerignore")),
);

const open: LayerFiles[] = [];

function opened(read: () => AsyncIterable<Uint8Array>): LayerFiles {
  const files = layerFiles(read);
  open.push(files);
  return files;
}

afterEach(async () => {
  for (const files of open.splice(0)) await files[Symbol.asyncDispose]();
});

describe(`BuildKit's results, ${cases.length} cases`, () => {
  for (const one of cases) {
    const leftOut = one.context.some(({ compress }) => LEFT_OUT.includes(compress ?? ""));
    test.skipIf(leftOut)(one.id, async () => {
      if (one.expect.error !== undefined || one.id in REFUSED) {
        const core =
          /(".*": not found|cannot copy to non-directory|cannot replace to directory|mkdir \S+: not a directory)/.exec(
            one.expect.error ?? "",
          );
        const code = REFUSED[one.id] ?? expect.any(String);
        const message = core === null ? expect.any(String) : expect.stringContaining(core[0]);
        await expect(built(one)).rejects.toMatchObject({ code, message });
        return;
      }
      const { root, mtimes } = await built(one);
      expect(await snapshotOf(root, one.expect.rootfs ?? {}, mtimes)).toEqual(
        expected(one.expect.rootfs ?? {}),
      );
    });
  }
});

async function built(one: CorpusCase): Promise<{ root: RootFs; mtimes: boolean }> {
  const stages = new Map<string, RootFs>();
  const context = await contextTree(one);
  let root = emptyRootFs();
  /** What a reader of the layers would see. */
  let seen = emptyRootFs();
  let directory = "/";
  let user = "root";
  let count = -1;
  for (const line of one.dockerfile.split("\n")) {
    const [word = "", ...rest] = line.trim().split(/\s+/);
    if (word === "FROM") {
      count++;
      const from = rest[0] ?? "";
      const base = corpus.bases[from];
      const known = stages.get(from);
      root = known === undefined ? await baseRoot(base?.layers ?? []) : known.clone();
      seen = root.clone();
      directory = from.includes("base:") ? "/work" : from.includes("entry:") ? "/home/alice" : "/";
      user = from.includes("entry:") ? "alice" : "root";
      stages.set(String(count), root);
      stages.set((rest[2] ?? "").toLowerCase(), root);
    } else if (word === "USER") user = rest.join(" ");
    else if (word === "WORKDIR") {
      directory = cleanPath(
        rest.join(" ").startsWith("/") ? rest.join(" ") : joinPath(directory, rest.join(" ")),
      );
      await written(seen, workdir(root, directory, { owner: parseOwner(user, root), now: 0 }));
    } else if (word === "COPY" || word === "ADD") {
      await written(seen, await copied(root, word, rest, directory, { context, stages }));
    }
  }
  return { root: seen, mtimes: true };
}

async function written(seen: RootFs, entries: ReturnType<typeof workdir>): Promise<void> {
  const tar = await readAll(layerTar(entries));
  const read = (): AsyncIterable<Uint8Array> => one(tar);
  seen.applyIndex(await indexLayer(read()), opened(read));
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function copied(
  root: RootFs,
  word: string,
  words: readonly string[],
  directory: string,
  from: { context: SourceTree; stages: ReadonlyMap<string, RootFs> },
): Promise<ReturnType<typeof workdir>> {
  const flags = words
    .filter((word) => word.startsWith("--"))
    .map((flag): [string, string] => [
      flag.slice(2).split("=", 1)[0] ?? "",
      flag.slice(flag.indexOf("=") + 1),
    ]);
  const flag = new Map(flags);
  const paths = words.filter((word) => !word.startsWith("--"));
  const last = paths.pop() ?? "";
  const absolute = last.startsWith("/")
    ? last
    : `${directory === "/" ? "" : directory}/${last === "." ? "" : last}`;
  const stage = flag.get("from");
  const tree =
    stage === undefined || stage === ""
      ? from.context
      : (from.stages.get(stage.toLowerCase()) ?? (await baseRoot(corpus.bases[stage]?.layers ?? [])));
  const owner = flag.has("chown")
    ? { owner: parseOwner(flag.get("chown") ?? "", flag.has("link") ? emptyRootFs() : root) }
    : {};
  const chmod = flag.get("chmod");
  const excluded = flags.filter(([name]) => name === "exclude").map(([, value]) => value ?? "");
  return add(root, {
    sources: paths.map((path) => ({ kind: "path", tree, path })),
    destination: absolute,
    match: (pattern, name) => pathMatcher(pattern)(name),
    now: 0,
    ...owner,
    ...(chmod === undefined ? {} : { chmod: parseChmod(chmod) }),
    ...(/^[0-7]+$/.test(chmod ?? "") ? { parentMode: Number.parseInt(chmod ?? "", 8) } : {}),
    ...(excluded.length === 0 ? {} : { exclude: ignoreMatcher(excluded) }),
    ...(flag.has("parents")
      ? { parents: (pattern: string) => (path: string) => ignoreMatcher([pattern]).ignores(path) }
      : {}),
    ...(flag.has("link") ? { destinationLinks: "replace" as const } : {}),
    ...(word === "ADD" && flag.get("unpack") !== "false"
      ? { archives: (file: FileContent) => opened(() => file.stream()) }
      : {}),
  });
}

async function baseRoot(layers: readonly (readonly CorpusEntry[])[]): Promise<RootFs> {
  const root = emptyRootFs();
  for (const layer of layers) {
    const tar = await tarOf(layer);
    root.applyIndex(
      await indexLayer(one(tar)),
      opened(() => one(tar)),
    );
  }
  return root;
}

async function contextTree(one: CorpusCase): Promise<SourceTree> {
  const files: Record<string, MemoryFile> = {};
  for (const entry of one.context) {
    const content = await contentOf(entry);
    const mtime = entry.mtime ?? MTIME;
    const kind = KINDS[entry.type ?? "file"];
    if (kind === undefined) continue;
    files[entry.path] = {
      kind,
      mtime,
      ...(content === undefined ? {} : { content }),
      ...(entry.mode === undefined ? {} : { mode: octal(entry.mode) }),
      ...(entry.linkTarget === undefined ? {} : { linkTarget: entry.linkTarget }),
    };
  }
  return memoryTree(files);
}

const KINDS: Readonly<
  Record<string, "file" | "directory" | "symlink" | "fifo" | "socket" | "character-device">
> = {
  file: "file",
  dir: "directory",
  symlink: "symlink",
  fifo: "fifo",
  socket: "socket",
  char: "character-device",
};

async function contentOf(entry: CorpusEntry): Promise<Uint8Array | undefined> {
  if (entry.tar !== undefined) {
    const tar = await tarOf(entry.tar);
    if (entry.compress === "gzip") return zlib.gzipSync(tar);
    if (entry.compress !== "zstd") return tar;
    const compress = Reflect.get(zlib, "zstdCompressSync") as (bytes: Uint8Array) => Uint8Array;
    return compress(tar);
  }
  if (entry.base64 !== undefined) return Buffer.from(entry.base64, "base64");
  return entry.type === undefined || entry.type === "file" ? Buffer.from(entry.content ?? "") : undefined;
}

async function tarOf(entries: readonly CorpusEntry[]): Promise<Uint8Array> {
  const members = entries.map((entry): TarEntry => {
    const type = entry.type ?? "file";
    const kind = type === "hardlink" ? "hardlink" : (KINDS[type] ?? "file");
    const body = kind === "file" ? Buffer.from(entry.content ?? "") : undefined;
    const usual = kind === "directory" ? 0o755 : kind === "symlink" ? 0o777 : 0o644;
    return {
      header: {
        path: entry.path,
        kind: kind === "socket" ? "file" : kind,
        mode: entry.mode === undefined ? usual : octal(entry.mode),
        uid: entry.uid ?? 0,
        gid: entry.gid ?? 0,
        mtime: entry.mtime ?? MTIME,
        size: body?.byteLength ?? 0,
        ...(entry.linkTarget === undefined ? {} : { linkTarget: entry.linkTarget }),
        ...(kind === "character-device" ? { deviceMajor: 1, deviceMinor: 3 } : {}),
      },
      ...(body === undefined ? {} : { body }),
    };
  });
  return readAll(writeTar(members));
}

function octal(mode: string | number): number {
  return typeof mode === "number" ? mode : Number.parseInt(mode, 8);
}

type Seen = Record<string, Partial<CorpusNode>>;

async function snapshotOf(
  root: RootFs,
  want: Readonly<Record<string, CorpusNode>>,
  mtimes: boolean,
): Promise<Seen> {
  const seen: Seen = {};
  for (const { path, node } of walkTree(root, "/")) {
    const type =
      { file: "file", directory: "dir", symlink: "symlink", fifo: "fifo" }[node.kind as "file"] ?? "char";
    const wanted = want[path];
    seen[path] = {
      type,
      uid: node.uid,
      gid: node.gid,
      ...(type === "symlink"
        ? { linkTarget: node.linkTarget ?? "" }
        : { mode: node.mode.toString(8).padStart(4, "0") }),
      ...(wanted?.content !== undefined && type === "file"
        ? { content: Buffer.from(await readAll(root.open(path).stream())).toString() }
        : {}),
      ...(mtimes && wanted?.mtime !== undefined && type !== "dir" ? { mtime: node.mtime } : {}),
    };
  }
  return seen;
}

function expected(want: Readonly<Record<string, CorpusNode>>): Seen {
  return Object.fromEntries(
    Object.entries(want).map(([path, { type, mode, uid, gid, content, linkTarget, mtime }]) => [
      path,
      {
        type,
        uid,
        gid,
        ...(type === "symlink" ? { linkTarget: linkTarget ?? "" } : { mode: mode ?? "0755" }),
        ...(content === undefined || type !== "file" ? {} : { content }),
        ...(mtime === undefined || type === "dir" ? {} : { mtime }),
      },
    ]),
  );
}
