import { createHash } from "node:crypto";
import { readFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, isDigest, type Digest } from "@undocked/registry";
import { writeWholeFile } from "@undocked/registry/files";
import { z } from "zod";
import type { Layer } from "../layer/make-layer.ts";

/** What came out of inputs before: layers, and things found to be in order. All of it can be found out again. */
export interface RecipeCache {
  /** `undefined`: not known, or damaged. */
  read(key: string): Promise<Layer | undefined>;
  write(key: string, layer: Layer): Promise<void>;
  /** Whether the key was noted. */
  has(key: string): Promise<boolean>;
  note(key: string): Promise<void>;
}

/** In a directory that several builds may use at once, and that may vanish. What cannot be written is found out again. */
export function recipeCache(directory: string): RecipeCache {
  const fileOf = (key: string): string =>
    join(directory, "v1", createHash("sha256").update(key).digest("hex"));

  async function content(key: string): Promise<string | undefined> {
    const path = fileOf(key);
    const text = await readFile(path, "utf8").catch(() => undefined);
    const json = text?.slice(LABEL);
    if (text === undefined || json === undefined || text.slice(0, LABEL) !== label(key, json))
      return undefined;
    const now = new Date();
    // When it was last of use is what prune() goes by.
    await utimes(path, now, now).catch(() => {});
    return json;
  }

  const keep = (key: string, json: string): Promise<void> =>
    writeWholeFile(fileOf(key), `${label(key, json)}${json}`, { durability: "scratch" }).catch(() => {});

  return {
    async read(key) {
      const json = await content(key);
      const result = json === undefined ? undefined : schema.safeParse(JSON.parse(json));
      return result?.data;
    },
    write: (key, { descriptor, diffId }) => keep(key, JSON.stringify({ descriptor, diffId })),
    has: async (key) => (await content(key)) !== undefined,
    note: (key) => keep(key, "{}"),
  };
}

/** Length of a label: a digest and a line's end. */
const LABEL = 72;

/** Belongs to one key and one content: neither a damaged file nor one that was moved passes for another. */
function label(key: string, json: string): string {
  return `${digestOf(`${key}\n${json}`)}\n`;
}

const digest = z.custom<Digest>(isDigest, "not a digest");

const schema: z.ZodType<Layer> = z.object({
  descriptor: z.object({ mediaType: z.string(), digest, size: z.int().nonnegative() }),
  diffId: digest,
});
