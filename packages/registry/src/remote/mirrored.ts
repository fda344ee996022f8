import { ContentError, FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { CallOptions, ReferrersOptions } from "../store/store.ts";
import { verified } from "../store/verify.ts";
import { readBlob } from "./blob.ts";
import type { RepositoryContext } from "./context.ts";
import { heldContent, type HeldContent } from "./held-content.ts";
import { listReferrers } from "./referrers.ts";
import { RegistryError } from "./registry-error.ts";

/** Asks one place after the other; the last one's error is the one that counts. */
export async function firstAnswer<T>(
  places: readonly RepositoryContext[],
  options: CallOptions,
  ask: (place: RepositoryContext) => Promise<T>,
): Promise<T> {
  const { rest, last } = lastOf(places);
  for (const place of rest) {
    if (place.mirror?.isDown() === true) continue;
    try {
      return await ask(place);
    } catch (error) {
      passOver(place, error, options);
    }
  }
  return await ask(last);
}

/**
 * A blob's bytes from one place after the other: where one ends too early, the next goes on. What a mirror gives is held until
 * it is known to be right, so that nobody gets wrong bytes and the next place can be asked; what the registry itself gives
 * is passed on at once, not verified.
 */
export async function* firstContent(
  places: readonly RepositoryContext[],
  target: Descriptor,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { last } = lastOf(places);
  await using held = heldContent(target);
  for (const place of places) {
    if (place !== last && place.mirror?.isDown() === true) continue;
    for (let isWrong = true; isWrong;) {
      const begin = held.size();
      if (place.mirror === undefined && begin === 0) {
        yield* readBlob(place, target, options);
        return;
      }
      try {
        await collect(held, readBlob(place, target, options, begin), target.size);
      } catch (error) {
        if (place === last) throw error;
        passOver(place, error, options);
        break;
      }
      if (held.isWhole()) {
        yield* held.read();
        return;
      }
      // Bytes of several places: nobody knows whose are wrong, and this one is asked for all of them.
      isWrong = begin > 0;
      if (!isWrong) await giveUp(place, held, target, place === last, options);
      await held.clear();
    }
  }
}

/** Reads no more than one byte too many. */
async function collect(held: HeldContent, content: AsyncIterable<Uint8Array>, size: number): Promise<void> {
  for await (const chunk of content) {
    await held.append(chunk);
    if (held.size() > size) return;
  }
}

/** Tells that content is wrong; throws it where there is nobody else to ask. */
async function giveUp(
  place: RepositoryContext,
  held: HeldContent,
  target: Descriptor,
  isLast: boolean,
  options: CallOptions,
): Promise<void> {
  try {
    for await (const _ of verified(target, held.read()));
  } catch (error) {
    if (isLast) throw error;
    place.mirror?.down();
    passOver(place, error, options);
  }
}

// They are held; far beyond what an image has.
const REFERRERS_LIMIT = 10_000;

function tooMany(subject: Digest): RegistryError {
  return new RegistryError(
    "REGISTRY_PROTOCOL",
    `More than ${REFERRERS_LIMIT} manifests refer to ${subject}.`,
  );
}

/** What refers to a manifest, by the first place that knows any: that a mirror knows none proves nothing. */
export async function* firstReferrers(
  places: readonly RepositoryContext[],
  subject: Digest,
  options: ReferrersOptions,
): AsyncGenerator<Descriptor, void, void> {
  const { rest, last } = lastOf(places);
  for (const place of rest) {
    if (place.mirror?.isDown() === true) continue;
    try {
      const found: Descriptor[] = [];
      for await (const referrer of listReferrers(place, subject, options)) {
        found.push(referrer);
        if (found.length > REFERRERS_LIMIT) throw tooMany(subject);
      }
      if (found.length === 0) continue;
      yield* found;
      return;
    } catch (error) {
      passOver(place, error, options);
    }
  }
  yield* listReferrers(last, subject, options);
}

function lastOf(places: readonly RepositoryContext[]): {
  readonly rest: readonly RepositoryContext[];
  readonly last: RepositoryContext;
} {
  const last = places.at(-1);
  if (last === undefined) {
    throw new RegistryError("REGISTRY_UNREACHABLE", "No place to read from is left by the configuration.", {
      hint: "Look at the mirrors' capabilities, and at `location`.",
    });
  }
  return { rest: places.slice(0, -1), last };
}

/** Throws what is not the mirror's fault. What a mirror does not have is normal; anything else is told. */
function passOver(place: RepositoryContext, error: unknown, { signal }: CallOptions): void {
  signal?.throwIfAborted();
  const itsFault =
    error instanceof RegistryError || error instanceof ContentError || error instanceof FormatError;
  if (!itsFault) throw error;
  if (error instanceof RegistryError && error.status === 404) return;
  if (error.code === "REGISTRY_UNREACHABLE" || error.code === "REGISTRY_TIMEOUT") place.mirror?.down();
  place.line.warn(`The mirror ${place.registry} is passed over (${error.code}).`, "MIRROR_PASSED_OVER");
}
