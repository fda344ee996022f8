import {
  familiarReference,
  FormatError,
  formatPlatform,
  formatReference,
  parseReference,
  type Platform,
  type Reference,
} from "@undocked/registry";
import { WordError } from "../dockerfile/error.ts";
import type { ImageSource, NamedSource } from "./plan.ts";
import { goQuote } from "../dockerfile/quote.ts";
import { digestProblem } from "./digest-problem.ts";

/** Names that no context can take. */
const RESERVED = ["scratch", "context"];

const MISSPELT = "invalid reference format";
/** What the grammar of references takes for a digest, before anybody looks at its algorithm and length. */
const DIGESTED = /@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})$/;

/**
 * An image, or the named context that stands for it.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID` for a text that is no reference
 */
export function resolveImage(
  text: string,
  platform: Platform,
  namedContexts: readonly string[],
): ImageSource | NamedSource {
  const direct = namedSource(text, platform, namedContexts);
  if (direct !== undefined) return direct;
  const reference = readReference(text);
  const familiar = withoutLatest(familiarReference(reference));
  const replaced = namedContexts.find((name) => !RESERVED.includes(name) && familiarName(name) === familiar);
  if (replaced !== undefined)
    return namedSource(replaced, platform, namedContexts) ?? image(reference, platform);
  return image(reference, platform);
}

/** The named context of exactly this name. */
export function namedSource(
  name: string,
  platform: Platform,
  namedContexts: readonly string[],
): NamedSource | undefined {
  if (!namedContexts.includes(name) || RESERVED.includes(name)) return undefined;
  return { kind: "named", key: `${name} ${formatPlatform(platform)} context`, name, platform };
}

export function isReference(text: string): boolean {
  try {
    readReference(text);
    return true;
  } catch (error) {
    if (error instanceof WordError) return false;
    throw error;
  }
}

function image(reference: Reference, platform: Platform): ImageSource {
  const tagged = reference.tag === undefined && reference.digest === undefined;
  const canonical = formatReference(tagged ? { ...reference, tag: "latest" } : reference);
  return { kind: "image", key: `${canonical} ${formatPlatform(platform)}`, reference: canonical, platform };
}

function readReference(text: string): Reference {
  try {
    return parseReference(text);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new WordError(
      `failed to parse stage name ${goQuote(text)}: ${referenceProblem(text)}`,
      error.message,
    );
  }
}

/** What BuildKit says of a text that is no reference. */
function referenceProblem(text: string): string {
  const capital = capitalRepository(text);
  if (capital !== undefined) return `${MISSPELT}: repository name (${capital}) must be lowercase`;
  const [, digest] = DIGESTED.exec(text) ?? [];
  return (digest === undefined ? undefined : digestProblem(digest)) ?? MISSPELT;
}

function capitalRepository(text: string): string | undefined {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  const rest = isHost ? text.slice(slash + 1) : slash < 0 ? `library/${text}` : text;
  const [repository = ""] = rest.split(":");
  return repository === repository.toLowerCase() ? undefined : repository;
}

function familiarName(name: string): string {
  try {
    return withoutLatest(familiarReference(parseReference(name)));
  } catch (error) {
    if (error instanceof FormatError) return name;
    throw error;
  }
}

function withoutLatest(familiar: string): string {
  return familiar.replace(/:latest$/, "");
}
