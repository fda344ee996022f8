import {
  contentOf,
  type BlobSource,
  type Descriptor,
  type Platform,
  type Reference,
} from "@undocked/registry";
import type { StoredLayer } from "../cache/cached-layer.ts";
import type { BaseImage } from "./base.ts";
import { assembleImage, type AssembledImage, type AssembledIndex } from "./assemble.ts";
import { keptSource } from "./kept-source.ts";
import { timeText, type BuiltStage, type StageLayer } from "./stage.ts";
import type { Workspace } from "./workspace.ts";

/** One platform's image, with where its layers come from. */
export interface FinishedImage extends AssembledImage {
  readonly platform: Platform;
  readonly stage: BuiltStage;
  /** The build's own. */
  readonly own: readonly StoredLayer[];
}

export interface FinishOptions {
  readonly platform: Platform;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** The layers of all stages. */
  readonly layers: ReadonlyMap<StageLayer, StoredLayer>;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The image of a plan's last stage. */
export function finishImage(
  stage: BuiltStage,
  { platform, epoch, layers, annotations }: FinishOptions,
): FinishedImage {
  const { base, history, plan } = stage;
  const own = stage.layers.flatMap((layer) => layers.get(layer) ?? []);
  const assembled = assembleImage({
    base: base === undefined ? undefined : { config: base.config, layers: base.manifest.layers },
    platform,
    config: plan.config,
    ...(plan.author === undefined ? {} : { author: plan.author }),
    history,
    layers: own,
    created: timeText(epoch),
    ...(annotations === undefined ? {} : { annotations }),
  });
  return { ...assembled, platform, stage, own };
}

/**
 * The documents from memory, the build's layers from the workspace, the bases' from the bases.
 *
 * @param bases - what becomes of a base's own source
 */
export function imageSource(
  images: readonly FinishedImage[],
  index: AssembledIndex | undefined,
  { content }: Workspace,
  bases: (base: BaseImage) => BlobSource = ({ source }) => source,
): BlobSource {
  const sources = new Map<string, BlobSource>();
  const document = (target: Descriptor, bytes: Uint8Array): unknown =>
    sources.set(target.digest, { fetch: () => contentOf(bytes), exists: () => Promise.resolve(true) });
  for (const { root, manifest, manifestBytes, configBytes, own, stage } of images) {
    for (const { digest } of stage.base?.manifest.layers ?? [])
      if (stage.base !== undefined) sources.set(digest, bases(stage.base));
    for (const { descriptor, source } of own) sources.set(descriptor.digest, source);
    document(root, manifestBytes);
    document(manifest.config, configBytes);
  }
  if (index !== undefined) document(index.root, index.bytes);
  const sourceOf = ({ digest }: Descriptor): BlobSource => sources.get(digest) ?? content;
  return {
    fetch: (target, options) => sourceOf(target).fetch(target, options),
    exists: (target, options) => sourceOf(target).exists(target, options),
  };
}

/** The same for outputs, which take whole layers of bases: those of a registry are kept for the next build. */
export function outputSource(
  images: readonly FinishedImage[],
  index: AssembledIndex | undefined,
  workspace: Workspace,
): BlobSource {
  const { content, directory, references } = workspace;
  return imageSource(images, index, workspace, ({ source, repository }) =>
    repository === undefined || references === undefined
      ? source
      : keptSource(source, content, { keep: "whole", directory }),
  );
}

/** Where a registry may take the bases' layers over from. */
export function originsOf(images: readonly FinishedImage[]): ReadonlyMap<string, Reference> {
  const origins = new Map<string, Reference>();
  for (const { base } of images.map(({ stage }) => stage)) {
    const { repository, manifest } = base ?? {};
    for (const { digest } of repository === undefined ? [] : (manifest?.layers ?? []))
      if (repository !== undefined) origins.set(digest, repository);
  }
  return origins;
}

/** The manifests and the index, each with the layers of the build's own that it leads to. */
export function ownLayers(
  images: readonly FinishedImage[],
  index: AssembledIndex | undefined,
): ReadonlyMap<string, readonly Descriptor[]> {
  const documents = new Map(
    images.map(({ root, own }) => [root.digest, own.map(({ descriptor }) => descriptor)]),
  );
  if (index !== undefined) documents.set(index.root.digest, [...documents.values()].flat());
  return documents;
}
