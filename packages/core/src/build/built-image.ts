import type {
  BlobSource,
  Descriptor,
  Diagnostic,
  Digest,
  ImageConfig,
  Index,
  Manifest,
  Platform,
} from "@undocked/registry";
import type { Proof } from "../preflight/proof.ts";
import type { PushedImage } from "./deliver.ts";

/** The image for one platform. */
export interface PlatformImage {
  readonly platform: Platform;
  /** Of the manifest. */
  readonly root: Descriptor;
  /** The root's. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** The base's and the build's own. */
  readonly layers: readonly Descriptor[];
  /** Whether the image's command can start, with every file that says so; absent where nobody was to look. */
  readonly proof?: Proof;
}

/**
 * What was built: an image, or an index of the images for several platforms. Its own layers lie in the cache; without one, until
 * it is disposed of (`await using`), which also closes the connections that `store` reads base layers through.
 *
 * What an index has several of (`manifest`, `config`, `layers`, `proof`) is of the first of `images`.
 */
export interface BuiltImage extends Omit<PlatformImage, "platform">, AsyncDisposable {
  /** Of the manifest; of the index where there are several platforms. */
  readonly root: Descriptor;
  /** One for each platform, in the order they were asked for. */
  readonly images: readonly PlatformImage[];
  /** Where there are several platforms. */
  readonly index?: Index;
  /** As asked for, with everything written out. */
  readonly tags: readonly string[];
  readonly warnings: readonly Diagnostic[];
  readonly pushed: readonly PushedImage[];
  /** Reads everything that the root points to; base layers come from where the base lies. */
  readonly store: BlobSource;
}
