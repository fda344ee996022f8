import { access, chmod, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  copyImage,
  dockerArchive,
  ociArchive,
  ociLayout,
  type BlobSink,
  type BlobSource,
  type CallOptions,
  type CopyEvent,
  type CopyOptions,
  type CopyTarget,
  type Descriptor,
  type Digest,
  type Reference,
  type RegistryClient,
  type Tagger,
} from "@undocked/registry";
import { placeNew } from "@undocked/registry/files";
import { LAYOUT_BEGUN } from "./check-outputs.ts";
import { earlyUpload, type EarlyUpload } from "./early-upload.ts";
import type { BuildEvent } from "./event.ts";
import type { Output } from "./options.ts";
import { atOutput } from "./output-place.ts";
import { byRepository, taggedReference } from "./tagged-reference.ts";
import type { Workspace } from "./workspace.ts";

/** Where an image was pushed to. */
export interface PushedImage {
  /** With its tag. */
  readonly reference: string;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

export interface Delivery {
  readonly root: Descriptor;
  readonly source: BlobSource;
  readonly signal?: AbortSignal;
  readonly emit: (event: BuildEvent) => void;
  /** Which repository has a blob already. */
  readonly origins: ReadonlyMap<string, Reference>;
  /** Manifests and indexes, with the layers of the build's own that they lead to. */
  readonly documents: ReadonlyMap<string, readonly Descriptor[]>;
  /** Whether a repository has a blob, if it has been asked. */
  readonly answerOf: (repository: string, blob: Digest) => boolean | undefined;
}

/** Pushes to each repository once, with all of its tags. */
export async function pushImage(
  delivery: Delivery,
  tags: readonly string[],
  client: RegistryClient,
  early?: EarlyPush,
): Promise<readonly PushedImage[]> {
  const pushed: PushedImage[] = [];
  for (const [name, group] of byRepository(tags)) {
    const [first] = group;
    const repository = client.repository(first);
    const mountFrom = (target: Descriptor): string | undefined => {
      const origin = delivery.origins.get(target.digest);
      return origin?.registry === first.registry && origin.repository !== first.repository
        ? origin.repository
        : undefined;
    };
    const own = name === early?.to ? early : undefined;
    const names = group.map(({ tag }) => tag);
    const target: PushTarget = own?.repository ?? repository;
    const asked: PushTarget = {
      ...target,
      exists: async (blob, options) =>
        delivery.answerOf(name, blob.digest) ?? (await target.exists(blob, options)),
    };
    await send(delivery, name, asked, names, {
      mountFrom,
      isNew: ({ digest }) =>
        own !== undefined &&
        delivery.documents.get(digest)?.some((layer) => own.isMade(layer.digest)) === true,
    });
    for (const { tag } of group) {
      pushed.push({ reference: `${name}:${tag}`, repository: name, tag, digest: delivery.root.digest });
    }
  }
  return pushed;
}

/** A repository of which one can ask what it has. */
type PushTarget = CopyTarget & BlobSink & Tagger & Pick<BlobSource, "exists">;

/** An upload of layers that begins before the image is whole. */
export interface EarlyPush extends EarlyUpload {
  /** The repository's name. */
  readonly to: string;
  /** Knows what has been taken already. */
  readonly repository: PushTarget;
}

export interface EarlyPushOptions extends CallOptions {
  readonly emit: (event: BuildEvent) => void;
  /** Whether the image goes elsewhere, too, than to the repositories of its tags. */
  readonly hasOutputs: boolean;
}

/** Begins with the repository of the first tag; what goes to others is sent from the cache. */
export function earlyPush(
  { client, content }: Pick<Workspace, "client" | "content">,
  tags: readonly string[],
  { emit, hasOutputs, ...call }: EarlyPushOptions,
): EarlyPush | undefined {
  const groups = byRepository(tags);
  const [[to, [reference]] = [undefined, []]] = groups;
  if (to === undefined || reference === undefined) return undefined;
  const repository = client.repository(reference);
  const upload = earlyUpload(content, repository, {
    ...call,
    keep: hasOutputs || groups.size > 1 ? "all" : "dear",
    onProgress: (bytes, target) =>
      emit(
        target === undefined
          ? { kind: "stream", to, bytes }
          : { kind: "progress", to, content: target, bytes },
      ),
  });
  return {
    ...upload,
    to,
    repository: {
      ...repository,
      async exists(target, options) {
        const outcome = await upload.outcome(target.digest);
        return outcome === undefined ? await repository.exists(target, options) : outcome === "exists";
      },
      async push(target, content, options) {
        if ((await upload.outcome(target.digest)) === undefined)
          await repository.push(target, content, options);
      },
    },
  };
}

/** Writes one output; it appears whole or not at all. */
export function writeOutput(delivery: Delivery, output: Output, tags: readonly string[]): Promise<void> {
  return atOutput(output, ({ path }) => writeTo(delivery, output, path, tags));
}

/** @param path - what the output's own leads to */
async function writeTo(
  delivery: Delivery,
  output: Output,
  path: string,
  tags: readonly string[],
): Promise<void> {
  switch (output.type) {
    case "oci-layout":
      return writeLayout(delivery, output, path, output.tag ?? layoutTag(tags));
    case "oci-archive": {
      await using archive = await ociArchive(path);
      await send(delivery, output.path, archive, [output.tag ?? layoutTag(tags)]);
      return await archive.commit(callOf(delivery));
    }
    case "docker-archive": {
      await using archive = await dockerArchive(path);
      await send(delivery, output.path, archive, output.tag === undefined ? [...tags] : [output.tag]);
      return await archive.commit(callOf(delivery));
    }
  }
}

/** One that is there gets the image added. What is to become one is made elsewhere, so that it stays as it was if that fails. */
async function writeLayout(delivery: Delivery, output: Output, path: string, tag: string): Promise<void> {
  if (await isThere(join(path, MARKER))) return await send(delivery, output.path, ociLayout(path), [tag]);
  const isDirectory = await isThere(path);
  // Beside its place, whose directory `checkOutputs` has made, or in the empty directory, as that beside it may not be ours.
  const made = await mkdtemp(isDirectory ? join(path, LAYOUT_BEGUN) : `${path}.`);
  try {
    await send(delivery, output.path, ociLayout(made), [tag]);
    const isPlaced = isDirectory ? await placeParts(made, path) : await placeWhole(made, path);
    if (isPlaced) return;
    // Another build has put one there meanwhile.
    const { root, signal } = delivery;
    await copyImage(root, ociLayout(made), ociLayout(path), {
      tags: [tag],
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

const MARKER = "oci-layout";

/** Gives false where something is there by now. */
async function placeWhole(made: string, path: string): Promise<boolean> {
  await chmod(made, 0o755);
  return await rename(made, path).then(
    () => true,
    async (error: unknown) => {
      if (await isThere(path)) return false;
      throw error;
    },
  );
}

/** Moves a layout into the directory that it was made in. Gives false where another was quicker. */
async function placeParts(made: string, path: string): Promise<boolean> {
  const index = join(path, "index.json");
  if (!(await placeNew(join(made, "index.json"), index))) return false;
  try {
    await rename(join(made, "blobs"), join(path, "blobs"));
  } catch (error) {
    if (await isThere(join(path, "blobs"))) return false;
    await rm(index, { force: true });
    throw error;
  }
  await placeNew(join(made, MARKER), join(path, MARKER));
  return true;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function callOf({ signal }: Delivery): CallOptions {
  return signal === undefined ? {} : { signal };
}

async function send(
  delivery: Delivery,
  to: string,
  sink: BlobSink & Tagger,
  tags: readonly string[],
  options: Pick<CopyOptions, "mountFrom" | "isNew"> = {},
): Promise<void> {
  const { root, source, signal, emit } = delivery;
  await copyImage(root, source, sink, {
    tags,
    ...options,
    ...(signal === undefined ? {} : { signal }),
    onEvent: (event: CopyEvent) => emit(contentEvent(to, event)),
  });
  emit({ kind: "output", to, root });
}

/** What an OCI layout calls an image (image-spec, annotations.md: `org.opencontainers.image.ref.name`). */
function layoutTag(tags: readonly string[]): string {
  const [first] = tags;
  return first === undefined ? "latest" : taggedReference(first).tag;
}

function contentEvent(to: string, event: CopyEvent): BuildEvent {
  return event.kind === "progress"
    ? { kind: "progress", to, content: event.target, bytes: event.bytes }
    : { kind: "content", to, content: event.target, how: event.kind };
}
