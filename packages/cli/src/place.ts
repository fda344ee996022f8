import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import {
  dockerArchive,
  familiarReference,
  FormatError,
  formatReference,
  ociArchive,
  ociLayout,
  openDockerArchive,
  openOciArchive,
  parseReference,
  referenceTarget,
  type ArchiveSource,
  type BlobSource,
  type CopyTarget,
  type Descriptor,
  type OciLayout,
  type Reference,
  type ReferrerSource,
  type RegistryClient,
} from "@undocked/registry";
import { UsageError } from "./args.ts";
import { checkDirectory, checkFile, naming, reading } from "./named-file.ts";

/** Where an image lies or shall lie. */
export type Place = { readonly kind: "registry"; readonly reference: Reference } | LocalPlace;

interface LocalPlace {
  readonly kind: "oci" | "oci-archive" | "docker-archive";
  readonly path: string;
  /** A tag; in a docker-archive a reference. */
  readonly name?: string;
}

/** Reads `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:REFERENCE]`, and anything else as a reference. */
export function parsePlace(text: string, cwd: string): Place {
  const [, kind, path = "", name] = /^(oci|oci-archive|docker-archive):([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  if (kind !== "oci" && kind !== "oci-archive" && kind !== "docker-archive")
    return { kind: "registry", reference: parseReference(text) };
  if (path === "" || name === "") throw new UsageError(`${JSON.stringify(text)} is not ${kind}:PATH[:NAME].`);
  return { kind, path: resolve(cwd, path), ...(name === undefined ? {} : { name }) };
}

/** An image at a place. Disposing closes its file. */
export interface OpenedImage extends AsyncDisposable {
  readonly root: Descriptor;
  readonly source: BlobSource & Partial<ReferrerSource>;
}

const nothingToClose = async (): Promise<void> => {};

export async function openPlace(
  place: Place,
  client: RegistryClient,
  signal: AbortSignal,
): Promise<OpenedImage> {
  if (place.kind !== "registry") return await reading(() => openLocal(place, signal), place.path);
  const source = client.repository(place.reference);
  const root = await source.resolve(referenceTarget(place.reference), { signal });
  return { root, source, [Symbol.asyncDispose]: nothingToClose };
}

async function openLocal(place: LocalPlace, signal: AbortSignal): Promise<OpenedImage> {
  switch (place.kind) {
    case "oci": {
      // Of what is no directory a layout says that it has nothing in it.
      if (!(await stat(place.path)).isDirectory()) throw noImage(place.path);
      const source = ociLayout(place.path);
      return { root: await rootIn(source, place), source, [Symbol.asyncDispose]: nothingToClose };
    }
    case "oci-archive":
      return await openArchive(await openOciArchive(place.path, { signal }), place);
    case "docker-archive":
      return await openArchive(await openDockerArchive(place.path, { signal }), place);
  }
}

async function openArchive(source: ArchiveSource, place: LocalPlace): Promise<OpenedImage> {
  const close = async (): Promise<void> => await source[Symbol.asyncDispose]();
  try {
    return { root: await rootIn(source, place), source, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The one with the name; without a name, the only one. */
async function rootIn(source: OciLayout | ArchiveSource, { path, name }: LocalPlace): Promise<Descriptor> {
  if (name !== undefined) return await source.resolve(name);
  const roots = await source.roots();
  const [root, ...others] = new Set(roots.map(({ digest }) => digest));
  if (root === undefined) throw noImage(path);
  if (others.length === 0) return await source.resolve(root);
  throw new FormatError("LAYOUT_INVALID", `${path} has ${others.length + 1} images.`, {
    hint: "Write the image's name after a colon.",
  });
}

function noImage(path: string): FormatError {
  return new FormatError("LAYOUT_INVALID", `${path} holds no image.`, {
    hint: "Name a directory with an OCI layout as oci:DIRECTORY, a file as oci-archive:FILE or docker-archive:FILE.",
  });
}

/**
 * Runs what copies from one place to another; what the operating system refuses becomes an error that names the place.
 *
 * @throws {UndockedError} `FILE_UNREADABLE`, `OUTPUT_UNWRITABLE`
 */
export async function betweenPlaces<T>(from: Place, to: Place, work: () => Promise<T>): Promise<T> {
  const written = to.kind === "registry" ? undefined : to.path;
  const read = from.kind === "registry" ? work : () => reading(work, from.path, written);
  return written === undefined ? await read() : await naming(written, read);
}

/** Where an image is copied to. */
export interface Target extends AsyncDisposable {
  readonly store: CopyTarget;
  readonly tag: string;
  /** The place, written out. */
  readonly name: string;
  /** Makes it appear. */
  commit(): Promise<void>;
}

/** @param source - names the image where the target does not */
export async function openTarget(place: Place, source: Place, client: RegistryClient): Promise<Target> {
  const open = { commit: nothingToClose, [Symbol.asyncDispose]: nothingToClose };
  const tag = nameFor(place, source);
  switch (place.kind) {
    case "registry": {
      const { digest, ...reference } = place.reference;
      if (digest !== undefined) throw new UsageError("What is copied is given a tag; its digest is its own.");
      return {
        ...open,
        store: client.repository(reference),
        tag,
        name: formatReference({ ...reference, tag }),
      };
    }
    case "oci":
      await checkDirectory(place.path);
      return { ...open, store: ociLayout(place.path), tag, name: `oci:${place.path}:${tag}` };
    case "oci-archive":
    case "docker-archive": {
      await checkFile(place.path);
      const make = place.kind === "oci-archive" ? ociArchive : dockerArchive;
      const store = await naming(place.path, () => make(place.path));
      return {
        store,
        tag,
        name: `${place.kind}:${place.path}:${tag}`,
        commit: () => store.commit(),
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      };
    }
  }
}

function nameFor(place: Place, source: Place): string {
  if (place.kind === "registry") return place.reference.tag ?? "latest";
  if (place.name !== undefined) return place.name;
  if (place.kind !== "docker-archive")
    return (source.kind === "registry" ? source.reference.tag : source.name) ?? "latest";
  if (source.kind === "docker-archive" && source.name !== undefined) return source.name;
  if (source.kind === "registry") {
    const { digest: _, tag = "latest", ...reference } = source.reference;
    return familiarReference({ ...reference, tag });
  }
  throw new UsageError("An image in a docker-archive has a reference: docker-archive:FILE:REFERENCE.");
}
