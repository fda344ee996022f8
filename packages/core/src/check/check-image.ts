import type { BlobSource, CallOptions, Descriptor, Digest, Platform } from "@undocked/registry";
import { preflight } from "../preflight/preflight.ts";
import type { Proof } from "../preflight/proof.ts";
import { imagesOf } from "./documents.ts";
import { readLayers } from "./image-root.ts";

/** Of which image of an index is asked, and when to stop. */
export interface CheckOptions extends CallOptions {
  /** One of an index's platforms. Default: all. */
  readonly platform?: Platform;
}

/** What was found out about one platform's image. */
export interface CheckedImage {
  readonly digest: Digest;
  readonly platform: Platform;
  readonly proof: Proof;
}

/**
 * Says of an image that anybody built whether it can start, for every platform of an index. Layers stream through once each,
 * nothing is unpacked, nothing is executed.
 *
 * @throws {UndockedError} for what cannot be read; what stops a start is in the proofs
 */
export async function checkImage(
  root: Descriptor,
  source: BlobSource,
  { platform, ...call }: CheckOptions = {},
): Promise<readonly CheckedImage[]> {
  await using layers = readLayers(source, call);
  const checked: CheckedImage[] = [];
  const images = await imagesOf(root, source, { ...call, ...(platform === undefined ? {} : { platform }) });
  for (const image of images) {
    const files = await layers.rootFs(image);
    checked.push({
      digest: image.descriptor.digest,
      platform: image.platform,
      proof: await preflight(image.config.config ?? {}, files, image.platform),
    });
  }
  return checked;
}
