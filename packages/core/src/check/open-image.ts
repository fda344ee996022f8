import { open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import {
  FormatError,
  ociLayout,
  openDockerArchive,
  openOciArchive,
  parseReference,
  referenceTarget,
  UndockedError,
  type BlobSource,
  type CallOptions,
  type Descriptor,
  type RegistryClient,
  type Resolver,
} from "@undocked/registry";

/** Images that somebody named, wherever they lie. Disposing closes a file. */
export interface OpenedImage extends AsyncDisposable {
  /** One, or all that a layout or an archive holds when none was named. */
  readonly roots: readonly Descriptor[];
  readonly source: BlobSource;
}

/** How an image is found. */
export interface OpenImageOptions extends CallOptions {
  readonly client: RegistryClient;
  /** What relative paths start at. Default: the working directory. */
  readonly directory?: string;
}

/**
 * Opens `DIRECTORY[:tag]` with an OCI layout, `FILE[:tag]` with what `docker save` or an OCI archive holds, or else a
 * registry's reference. `undefined`: a file that is no archive.
 *
 * @throws {UndockedError} for what is not there, or is not what it should be
 */
export async function openImage(target: string, options: OpenImageOptions): Promise<OpenedImage | undefined> {
  const { client, directory = ".", signal } = options;
  const call = signal === undefined ? {} : { signal };
  const place = await localPlace(target, directory);
  if (place === undefined) {
    const reference = parseReference(target);
    const repository = client.repository(reference);
    const root = await repository.resolve(referenceTarget(reference), call);
    return { roots: [root], source: repository, [Symbol.asyncDispose]: async () => {} };
  }
  const { path, isDirectory } = place;
  if (isDirectory) return named(ociLayout(path), place, call, async () => {});
  if (!(await isTar(path))) return undefined;
  const archive = await openArchive(path, call);
  return named(archive, place, call, async () => archive[Symbol.asyncDispose]());
}

interface Roots extends BlobSource, Resolver {
  roots(): Promise<readonly Descriptor[]>;
}

async function named(
  source: Roots,
  { path, name }: Place,
  call: CallOptions,
  close: () => Promise<void>,
): Promise<OpenedImage> {
  try {
    const roots = name === undefined ? await source.roots() : [await source.resolve(name, call)];
    if (roots.length === 0) {
      throw new FormatError("LAYOUT_INVALID", `${path} holds no image.`, {
        hint: "Name an OCI layout, an archive of images, a registry's reference or a program's file.",
      });
    }
    return { roots, source, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openArchive(path: string, call: CallOptions): Promise<Roots & AsyncDisposable> {
  try {
    return await openOciArchive(path, call);
  } catch (error) {
    // What is no layout may be what docker save writes; newer versions write both in one.
    if (!(error instanceof UndockedError) || error.code !== "LAYOUT_INVALID") throw error;
    return openDockerArchive(path, call);
  }
}

interface Place {
  readonly path: string;
  readonly name: string | undefined;
  readonly isDirectory: boolean;
}

/** A path comes first, whatever else the text could be; `undefined`: there is none. */
async function localPlace(target: string, directory: string): Promise<Place | undefined> {
  if (target === "") return undefined;
  const colon = target.lastIndexOf(":");
  const candidates: [string, string | undefined][] = [[target, undefined]];
  if (colon > 0) candidates.push([target.slice(0, colon), target.slice(colon + 1)]);
  for (const [text, name] of candidates) {
    const path = resolve(directory, text);
    const found = await stat(path).catch((error: unknown) => {
      // What can be nothing but a path is not looked for at a registry, whatever stands in the way.
      if (/^\.{0,2}\//.test(text) && !isAbsent(error)) throw error;
      return undefined;
    });
    if (found?.isDirectory() === true) return { path, name, isDirectory: true };
    if (found?.isFile() === true) return { path, name, isDirectory: false };
  }
  return undefined;
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

/** A tar's magic, or gzip's: what is inside shows when it is opened. */
async function isTar(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(512);
    await file.read(head, 0, 512, 0);
    return head.toString("latin1", 257, 262) === "ustar" || head.readUInt16BE(0) === 0x1f8b;
  } finally {
    await file.close();
  }
}
