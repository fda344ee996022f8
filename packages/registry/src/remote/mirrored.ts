import { ContentError, FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { CallOptions } from "../store/store.ts";
import { readBlob } from "./blob.ts";
import type { RepositoryContext } from "./context.ts";
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

/** A blob's bytes from one place after the other: where one ends too early, the next goes on. Not verified. */
export async function* firstContent(
  places: readonly RepositoryContext[],
  target: Descriptor,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { rest, last } = lastOf(places);
  let have = 0;
  for (const place of rest) {
    if (place.mirror?.isDown() === true) continue;
    try {
      for await (const chunk of readBlob(place, target, options, have)) {
        have += chunk.byteLength;
        yield chunk;
      }
      return;
    } catch (error) {
      passOver(place, error, options);
    }
  }
  yield* readBlob(last, target, options, have);
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
  place.line.warn(`The mirror ${place.registry} is passed over (${error.code}).`);
}
