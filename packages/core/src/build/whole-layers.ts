import {
  isForeignLayerType,
  type CallOptions,
  type Descriptor,
  type Digest,
  type Reference,
} from "@undocked/registry";
import type { BaseImage } from "./base.ts";
import type { BuildOptions } from "./options.ts";
import { byRepository } from "./tagged-reference.ts";
import type { Workspace } from "./workspace.ts";

/** Which layers of bases are asked for as a whole later, so that they are fetched once: not for their files alone. */
export interface WholeLayers {
  /** Says what the results are built upon. */
  below(images: Iterable<BaseImage>): void;
  isNeeded(layer: Descriptor, image: BaseImage, call: CallOptions): Promise<boolean>;
  /** Whether a repository has a layer, if it has answered that; so that it need not be asked again. */
  answerOf(repository: string, layer: Digest): boolean | undefined;
}

/** An output takes every layer; a repository of another registry those that it does not have. */
export function wholeLayers(
  { outputs = [], push = false, tags = [] }: BuildOptions,
  { client, offline }: Pick<Workspace, "client" | "offline">,
): WholeLayers {
  const finals = new Set<BaseImage>();
  const answers = new Map<string, boolean>();

  async function isLacking(layer: Descriptor, from: Reference, call: CallOptions): Promise<boolean> {
    for (const [name, [to]] of push ? byRepository(tags) : []) {
      // It may be mounted there.
      if (to.registry === from.registry) continue;
      // Why it does not answer is told by who sends something.
      const isThere = await client
        .repository(to)
        .exists(layer, call)
        .catch(() => undefined);
      if (isThere !== undefined) answers.set(answerKey(name, layer.digest), isThere);
      if (isThere === false) return true;
    }
    return false;
  }

  return {
    below(images) {
      for (const image of images) finals.add(image);
    },
    async isNeeded(layer, image, call) {
      const { repository } = image;
      if (repository === undefined || offline !== undefined || !finals.has(image)) return false;
      if (isForeignLayerType(layer.mediaType)) return false;
      return outputs.length > 0 || (await isLacking(layer, repository, call));
    },
    answerOf: (repository, layer) => answers.get(answerKey(repository, layer)),
  };
}

function answerKey(repository: string, layer: Digest): string {
  return `${repository}@${layer}`;
}
