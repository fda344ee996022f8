import { z } from "zod";
import { isDigest, type Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** Points to content by what it is (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly platform?: Platform;
  /** The content itself, base64. */
  readonly data?: string;
}

const platformSchema: z.ZodType<Platform> = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  "os.version": z.string().exactOptional(),
  "os.features": z.array(z.string()).exactOptional(),
  variant: z.string().exactOptional(),
});

/** For the schemas of the documents that hold descriptors. */
export const descriptorSchema: z.ZodType<Descriptor> = z.looseObject({
  mediaType: z.string(),
  digest: z.custom<Digest>(isDigest, "not a digest"),
  size: z.int().nonnegative(),
  urls: z.array(z.string()).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  artifactType: z.string().exactOptional(),
  platform: platformSchema.exactOptional(),
  data: z.string().exactOptional(),
});
