import type { Diagnostic } from "@undocked/registry";
import { DEFAULT_CACHE_SIZE, keepWithin } from "../cache/keep-within.ts";
import type { BuiltImage } from "./built-image.ts";
import type { CheckedInput } from "./check-input.ts";
import { checkOutputs } from "./check-outputs.ts";
import type { BuildEvent } from "./event.ts";
import { readNamed, type NamedInput } from "./named-input.ts";
import { checkOptions, type BuildOptions } from "./options.ts";
import { buildRecords } from "./record.ts";
import { scope } from "./scope.ts";
import { PlaceError } from "./system-error.ts";
import { unchangedImage } from "./unchanged.ts";
import { goneWithout, usableCache, writingToCache } from "./usable-cache.ts";
import { openWorkspace } from "./workspace.ts";

/**
 * Builds an image, and pushes or writes it where that is asked for. Nothing of the image is executed.
 *
 * Faults of the options, the Dockerfile, the mappings and the files are found first and told together; nothing is fetched then.
 * Nothing is delivered before the images for all platforms are proved.
 *
 * @throws {UndockedError} with a code of the README's table; `diagnostics` has each fault with its place
 */
export async function buildImage(options: BuildOptions = {}): Promise<BuiltImage> {
  const asked = checkOptions(options);
  // Offline, the cache is all that there is.
  if (asked.cache !== undefined || asked.offline === true) return await build(asked);
  let isDelivered = false;
  const onEvent = (event: BuildEvent): void => {
    isDelivered ||= event.kind === "output";
    asked.onEvent?.(event);
  };
  try {
    return await build({ ...asked, onEvent });
  } catch (error) {
    if (!(error instanceof PlaceError) || error.code !== "CACHE_UNUSABLE" || isDelivered) throw error;
    // The user's own has filled up on the way: from the beginning, as what it has may be half of what is needed.
    return await build({ ...asked, cache: false }, { answers: true, warnings: [goneWithout(error)] });
  }
}

interface Attempt {
  /** Whether the image may come from the record of an earlier build. */
  readonly answers: boolean;
  /** Of what came before. */
  readonly warnings?: readonly Diagnostic[];
}

async function build(
  options: BuildOptions,
  { answers, warnings: earlier = [] }: Attempt = { answers: true },
): Promise<BuiltImage> {
  const { cache, warnings } = await usableCache(options);
  const own = { ...options, cache };
  const named = readNamed(own);
  const records =
    cache === false || !isRecorded(named, own) ? undefined : buildRecords(cache, own, named.input);
  const { outputs = [], offline = false } = options;
  const record = answers && outputs.length === 0 && !offline ? await records?.unchanged() : undefined;
  // What a record tells of was checked when it was made.
  let input = record === undefined ? await checked(own, named) : undefined;
  await checkOutputs(outputs);
  const workspace = await openWorkspace(own);
  const { directory } = workspace;
  // One fault stops all that is under way.
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  try {
    return await writingToCache(cache, directory, async () => {
      if (cache !== false) await keepWithin(directory, options.cacheMaxSize ?? DEFAULT_CACHE_SIZE);
      if (record !== undefined) {
        const make = (): Promise<BuiltImage> => build(undelivered(options), { answers: false });
        const image = await unchangedImage(record, { options, workspace, signal, make });
        if (image !== undefined) return image;
      }
      input ??= await checked(own, named);
      await using held = scope();
      try {
        const { carryOut } = await import("./carry-out.ts");
        return await carryOut({
          options,
          checked: input,
          workspace,
          signal,
          hold: held.hold,
          warnings: [...earlier, ...warnings],
          records,
        });
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
  } catch (error) {
    await workspace[Symbol.asyncDispose]();
    throw workspace.offline?.together(error) ?? error;
  } finally {
    workspace.ended();
  }
}

/** Whether what decides the build can be told from one time to the next. */
function isRecorded({ found }: NamedInput, { namedContexts = {} }: BuildOptions): boolean {
  return found.all().length === 0 && Object.keys(namedContexts).length === 0;
}

/** The same build, of which nobody is told and whose image goes nowhere. */
function undelivered(options: BuildOptions): BuildOptions {
  const { push: _push, outputs: _outputs, onEvent: _onEvent, signal: _signal, ...build } = options;
  return build;
}

/** What makes an image is loaded when one is to be made. */
async function checked(options: BuildOptions, named: NamedInput): Promise<CheckedInput> {
  const { checkInput } = await import("./check-input.ts");
  return await checkInput(options, named);
}
