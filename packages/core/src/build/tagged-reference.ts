import { FormatError, formatReference, parseReference, type Reference } from "@undocked/registry";

type Tagged = Reference & { readonly tag: string };

export function byRepository(tags: readonly string[]): ReadonlyMap<string, readonly [Tagged, ...Tagged[]]> {
  const groups = new Map<string, [Tagged, ...Tagged[]]>();
  for (const reference of tags.map(taggedReference)) {
    const name = `${reference.registry}/${reference.repository}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [reference]);
    else if (!group.some(({ tag }) => tag === reference.tag)) group.push(reference);
  }
  return groups;
}

/**
 * A reference that an image can be given: a tag, `latest` when none is written.
 *
 * @throws {FormatError} `REFERENCE_INVALID` for a digest: it cannot be chosen
 */
export function taggedReference(text: string): Tagged {
  const { digest, tag = "latest", ...name } = parseReference(text);
  if (digest === undefined) return { ...name, tag };
  throw new FormatError(
    "REFERENCE_INVALID",
    `The reference ${JSON.stringify(text)} has a digest; an image is given a tag.`,
    {
      hint: "Leave the part from @ on away.",
    },
  );
}

/** With everything written out: `docker.io/library/app:latest`. */
export function formatTagged(text: string): string {
  return formatReference(taggedReference(text));
}
