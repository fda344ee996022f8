import {
  UndockedError,
  type BlobSource,
  type CallOptions,
  type Descriptor,
  type RegistryClient,
} from "@undocked/registry";
import { ContextError } from "../context/context-error.ts";
import { resolveImage } from "./base.ts";
import type { BuiltImage } from "./built-image.ts";
import type { PushedImage } from "./deliver.ts";
import type { BuildEvent } from "./event.ts";
import type { BuildOptions } from "./options.ts";
import type { BuildRecord, NamedBase } from "./record.ts";
import { byRepository, formatTagged } from "./tagged-reference.ts";
import type { Workspace } from "./workspace.ts";

export interface Answering {
  readonly options: BuildOptions;
  readonly workspace: Workspace;
  readonly signal: AbortSignal;
  /** Builds the image after all, and delivers it nowhere. */
  readonly make: () => Promise<BuiltImage>;
}

/**
 * The image of a build whose files are as its record has them, if its bases are, too, and if it is wherever it is to be pushed:
 * one request for each base's tag and for each tag of its own. `undefined`: there is more to do.
 */
export async function unchangedImage(
  { bases, events, result }: BuildRecord,
  { options, workspace, signal, make }: Answering,
): Promise<BuiltImage | undefined> {
  const { root } = result;
  const tags = (options.tags ?? []).map(formatTagged);
  const [areSame, pushed] = await Promise.all([
    areUnchanged(bases, workspace, { signal }),
    options.push === true ? pushedBefore(root, tags, workspace.client, { signal }) : [],
  ]);
  if (!areSame || pushed === undefined) return undefined;
  const emit = (event: BuildEvent): void => options.onEvent?.(event);
  for (const event of events) emit(event);
  for (const to of new Set(pushed.map(({ repository }) => repository))) {
    emit({ kind: "content", to, content: root, how: "exists" });
    emit({ kind: "output", to, root });
  }
  const [first] = result.images;
  if (first === undefined) throw new Error("a build is for a platform");
  const { platform: _, ...ofFirst } = first;
  const store = madeAgain(root, make);
  return {
    ...ofFirst,
    ...result,
    digest: root.digest,
    tags,
    pushed,
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await workspace[Symbol.asyncDispose]();
    },
  };
}

async function areUnchanged(
  bases: readonly NamedBase[],
  workspace: Workspace,
  call: CallOptions,
): Promise<boolean> {
  const targets = await Promise.all(
    bases.map(({ name }) => resolveImage(name, { workspace, ...call }).catch(untold)),
  );
  return targets.every((target, position) => target?.digest === bases[position]?.target.digest);
}

/** `undefined`: a tag is not there or stands for something else, or that cannot be said. */
async function pushedBefore(
  root: Descriptor,
  tags: readonly string[],
  client: RegistryClient,
  call: CallOptions,
): Promise<readonly PushedImage[] | undefined> {
  const groups = [...byRepository(tags)];
  const pushed = await Promise.all(
    groups.flatMap(([repository, [first, ...more]]) =>
      [first, ...more].map(async ({ tag }): Promise<PushedImage | undefined> => {
        const found = await client.repository(first).find(tag, call).catch(untold);
        return found?.digest === root.digest
          ? { reference: `${repository}:${tag}`, repository, tag, digest: root.digest }
          : undefined;
      }),
    ),
  );
  const there = pushed.filter((image) => image !== undefined);
  return there.length === pushed.length ? there : undefined;
}

/** Who builds or pushes after all will meet the error again, and tell it with its place. */
function untold(error: unknown): undefined {
  if (!(error instanceof UndockedError)) throw error;
  return undefined;
}

/** What the image points to, for which it is made again when somebody reads it. */
function madeAgain(root: Descriptor, make: () => Promise<BuiltImage>): BlobSource & AsyncDisposable {
  let made: Promise<BuiltImage> | undefined;

  async function image(): Promise<BuiltImage> {
    const again = await (made ??= make());
    if (again.digest === root.digest) return again;
    throw new ContextError(
      "FILE_CHANGED",
      `The image ${root.digest} is to be made again, and comes out as ${again.digest} now.`,
      { hint: "Its files or its base changed after the build: build again." },
    );
  }

  return {
    async *fetch(target, call) {
      yield* (await image()).store.fetch(target, call);
    },
    exists: async (target, call) => await (await image()).store.exists(target, call),
    async [Symbol.asyncDispose]() {
      const [ended] = await Promise.allSettled([made]);
      if (ended.status === "fulfilled") await ended.value?.[Symbol.asyncDispose]();
    },
  };
}
