import { createHash } from "node:crypto";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, isDigest, type Descriptor, type Digest } from "@undocked/registry";
import { readPlainFile, writeWholeFile } from "@undocked/registry/files";
import { z } from "zod";

/** What a name stood for when it was last asked for. */
export interface Referent {
  readonly target: Descriptor;
  /** Seconds since 1970, of a file of the web. */
  readonly modified?: number;
}

/** Keeps what names of images and URLs stood for. */
export interface ReferenceCache {
  /** `undefined`: not known, or damaged. */
  read(name: string): Promise<Referent | undefined>;
  write(name: string, referent: Referent): Promise<void>;
}

/** In a directory that several builds may use at once, and that may vanish. What cannot be written is asked for again. */
export function referenceCache(directory: string): ReferenceCache {
  const fileOf = (name: string): string =>
    join(directory, "v1", createHash("sha256").update(name).digest("hex"));

  return {
    async read(name) {
      const path = fileOf(name);
      const bytes = await readPlainFile(path, LARGEST).catch(() => undefined);
      const kept = bytes === undefined ? undefined : parseKept(bytes.toString("utf8"));
      if (kept?.name !== name) return undefined;
      const now = new Date();
      // When it was last of use is what prune() goes by.
      await utimes(path, now, now).catch(() => {});
      return kept.referent;
    },
    async write(name, referent) {
      const json = JSON.stringify({ name, referent });
      const text = `${digestOf(json)}\n${json}`;
      await writeWholeFile(fileOf(name), text, { durability: "scratch" }).catch(() => {});
    },
  };
}

/** More than a name, of an image or of a file of the web, and a descriptor take. */
const LARGEST = 1024 * 1024;

interface Kept {
  readonly name: string;
  readonly referent: Referent;
}

/** The digest of the JSON, a newline, and the JSON. */
function parseKept(text: string): Kept | undefined {
  const end = text.indexOf("\n");
  const json = text.slice(end + 1);
  if (end < 0 || digestOf(json) !== text.slice(0, end)) return undefined;
  return schema.safeParse(JSON.parse(json)).data;
}

const schema: z.ZodType<Kept> = z.object({
  name: z.string(),
  referent: z.object({
    target: z.object({
      mediaType: z.string(),
      digest: z.custom<Digest>(isDigest, "not a digest"),
      size: z.int().nonnegative(),
    }),
    modified: z.int().exactOptional(),
  }),
});
