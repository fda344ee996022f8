import type { BuildOptions } from "@undocked/core";
import { keyValue, UsageError } from "./args.ts";

type Annotations = NonNullable<BuildOptions["annotations"]>;

/**
 * Reads `--annotation` as `docker buildx build` spells it: `NAME=VALUE` for the manifest of each platform, `index:NAME=VALUE` for the
 * index, `manifest,index:NAME=VALUE` for both. `undefined`: there are none.
 */
export function parseAnnotations(texts: readonly string[]): Annotations | undefined {
  if (texts.length === 0) return undefined;
  const [manifest, index] = [new Map<string, string>(), new Map<string, string>()];
  for (const text of texts) {
    const [, kinds = "manifest", rest = text] = FORM.exec(text) ?? [];
    const [name, value] = keyValue("annotation", rest);
    for (const kind of kinds.split(",")) {
      if (kind === "manifest") manifest.set(name, value);
      else if (kind === "index") index.set(name, value);
      else throw new UsageError(`--annotation is for manifest and index, not ${JSON.stringify(kind)}.`);
    }
  }
  return { manifest: Object.fromEntries(manifest), index: Object.fromEntries(index) };
}

/** Kinds of buildx, with a platform in brackets or without, a colon, and the rest. */
const FORM =
  /^((?:manifest|index)(?:-descriptor)?(?:\[[^\]]*\])?(?:,(?:manifest|index)(?:-descriptor)?(?:\[[^\]]*\])?)*):(.*)$/s;
