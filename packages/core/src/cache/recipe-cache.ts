import { join } from "node:path";
import { isDigest, type Digest } from "@undocked/registry";
import { z } from "zod";
import type { Layer } from "../layer/make-layer.ts";
import { keptTexts } from "./kept-texts.ts";

/** What came out of inputs before: layers, and things found to be in order. All of it can be found out again. */
export interface RecipeCache {
  /** `undefined`: not known, or damaged. */
  read(key: string): Promise<Layer | undefined>;
  write(key: string, layer: Layer): Promise<void>;
  /** Whether the key was noted. */
  has(key: string): Promise<boolean>;
  note(key: string): Promise<void>;
}

export function recipeCache(directory: string): RecipeCache {
  const texts = keptTexts(join(directory, "v2"));
  return {
    async read(key) {
      const json = await texts.read(key);
      const result = json === undefined ? undefined : schema.safeParse(JSON.parse(json));
      return result?.data;
    },
    write: (key, { descriptor, diffId }) => texts.write(key, JSON.stringify({ descriptor, diffId })),
    has: async (key) => (await texts.read(key)) !== undefined,
    note: (key) => texts.write(key, "{}"),
  };
}

const digest = z.custom<Digest>(isDigest, "not a digest");

const schema: z.ZodType<Layer> = z.object({
  descriptor: z.object({ mediaType: z.string(), digest, size: z.int().nonnegative() }),
  diffId: digest,
});
