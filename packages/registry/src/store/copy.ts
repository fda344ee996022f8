import { UndockedError } from "../errors.ts";
import type { DocumentTypes } from "../oci/convert.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { forEachOf } from "./concurrency.ts";
import { convertImage } from "./convert-image.ts";
import { isDocument } from "./graph.ts";
import {
  DEFAULT_CONCURRENCY,
  graphCopier,
  type CopyTarget,
  type Ending,
  type GraphCopyOptions,
} from "./graph-copier.ts";
import { referrerGraph } from "./referrers.ts";
import type { BlobSource, CallOptions, NamedSink, ReferrerSource } from "./store.ts";

/** What goes along with the root, and the names that it gets. */
export interface CopyOptions extends GraphCopyOptions {
  /** What the root is named in the target. Default: nothing. */
  readonly tags?: readonly string[];
  /** Copies what refers to the image too: signatures, attestations. Both sides must know of such. Default: `false`. */
  readonly referrers?: boolean;
  /** Gives the manifests these media types, and thereby other digests. Default: they are kept as they are. */
  readonly convert?: DocumentTypes;
}

/**
 * Copies an image, an index or an artifact with everything that it points to, each thing after what it points to, and then
 * names it. What the target has is not sent again, so that a copy that was stopped goes on where it stopped; of a manifest
 * that it has, the children are not asked for. Layers that must not be distributed are left out,
 * unless they are asked for.
 *
 * Stops at the first error, and ends once nothing is under way any more.
 *
 * @returns the root as the target has it: another one than was given if it was converted
 */
export async function copyImage(
  root: Descriptor,
  from: BlobSource & Partial<ReferrerSource>,
  to: CopyTarget,
  options: CopyOptions = {},
): Promise<Descriptor> {
  const { signal, convert } = options;
  checkAbilities(from, to, options);
  if (convert === undefined) return await copyRoot(root, from, to, options);
  const converted = await convertImage(root, from, convert, callOptions(signal));
  return await copyRoot(converted.root, converted.source, to, options);
}

function checkAbilities(
  from: Partial<ReferrerSource>,
  to: CopyTarget,
  { tags = [], referrers = false, convert }: CopyOptions,
): void {
  if (tags.length > 0 && to.tag === undefined) throw new TypeError("The target of the copy takes no tags.");
  if (!referrers) return;
  if (convert !== undefined)
    throw new TypeError("What refers to an image does not refer to a converted one.");
  if (from.referrers === undefined) throw new TypeError("The source of the copy knows no referrers.");
  if (to.referrers === undefined) throw new TypeError("The target of the copy keeps no referrers.");
}

async function copyRoot(
  root: Descriptor,
  from: BlobSource & Partial<ReferrerSource>,
  to: CopyTarget,
  options: CopyOptions,
): Promise<Descriptor> {
  const { tags = [], signal, referrers = false } = options;
  const copy = graphCopier(from, to, options);
  if (tags.length > 0 && !referrers && to.pushNamed !== undefined && isDocument(root)) {
    await copy(root, named(root, to, to.pushNamed.bind(to), tags, options));
    return root;
  }
  const missing = await missingTags(to, tags, root, options);
  // The same image again is one request a tag, and no error where tags cannot be moved.
  if (tags.length > 0 && missing.length === 0) options.onEvent?.({ kind: "exists", target: root });
  else await copy(root);
  if (referrers && isReferring(from)) {
    for await (const referrer of referrerGraph(root, from, callOptions(signal))) await copy(referrer);
  }
  // Last, so that who finds the name finds everything.
  await nameRoot(root, from, to, missing, callOptions(signal));
  return root;
}

async function nameRoot(
  root: Descriptor,
  from: BlobSource,
  to: CopyTarget,
  tags: readonly string[],
  options: CallOptions,
): Promise<void> {
  if (tags.length === 0) return;
  if (to.pushNamed !== undefined && isDocument(root)) {
    await to.pushNamed(root, from.fetch(root, options), tags, options);
    return;
  }
  for (const tag of tags) await to.tag?.(root, tag, options);
}

/** A root that gets its names as it is put: it is there if they stand for it. */
function named(
  root: Descriptor,
  to: CopyTarget,
  push: NamedSink["pushNamed"],
  tags: readonly string[],
  options: CopyOptions,
): Ending {
  let missing = tags;
  return {
    async isThere() {
      missing = await missingTags(to, tags, root, options);
      return missing.length === 0;
    },
    put: (content) => push(root, content, missing, callOptions(options.signal)),
  };
}

function isReferring(from: BlobSource & Partial<ReferrerSource>): from is BlobSource & ReferrerSource {
  return from.referrers !== undefined;
}

function callOptions(signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? {} : { signal };
}

async function missingTags(
  to: CopyTarget,
  tags: readonly string[],
  root: Descriptor,
  { signal, concurrency = DEFAULT_CONCURRENCY }: CopyOptions,
): Promise<readonly string[]> {
  const there = new Set<string>();
  await forEachOf(tags, concurrency, async (tag) => {
    if (await hasTag(to, tag, root, signal)) there.add(tag);
  });
  return tags.filter((tag) => !there.has(tag));
}

async function hasTag(
  to: CopyTarget,
  tag: string,
  root: Descriptor,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted();
  try {
    const call = callOptions(signal);
    const found = to.find === undefined ? await to.resolve?.(tag, call) : await to.find(tag, call);
    return found?.digest === root.digest;
  } catch (error) {
    // DENIED: some credentials may push and not read.
    const absent: readonly string[] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "DENIED"];
    if (error instanceof UndockedError && absent.includes(error.code)) return false;
    throw error;
  }
}
