import { formatReference, parseDigest, parseReference } from "@undocked/registry";
import { OptionsError } from "./options.ts";

/** What a named context stands for. */
export type NamedContext =
  | { readonly kind: "image"; readonly reference: string }
  | { readonly kind: "layout"; readonly path: string; readonly reference: string }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "scratch" };

/**
 * Reads `docker-image://REFERENCE`, `oci-layout:///directory[:tag][@digest]`, or a directory's path.
 *
 * @throws {OptionsError} `OPTIONS_INVALID` for any other scheme
 */
export function parseNamedContext(name: string, value: string): NamedContext {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+-]*):\/\/(.*)$/is.exec(value) ?? [];
  if (scheme === undefined && value !== "" && !value.startsWith("git@"))
    return { kind: "directory", path: value };
  if (rest === "" || (scheme !== "docker-image" && scheme !== "oci-layout")) {
    throw new OptionsError(
      "OPTIONS_INVALID",
      `The named context ${name} is ${JSON.stringify(value)}, which is no kind of context that there is.`,
      {
        hint: `Write ${name}=directory, ${name}=docker-image://REFERENCE or ${name}=oci-layout:///directory:tag.`,
      },
    );
  }
  if (scheme === "docker-image") {
    return rest === "scratch"
      ? { kind: "scratch" }
      : { kind: "image", reference: formatReference(parseReference(rest)) };
  }
  const [located = "", digest] = rest.split("@", 2);
  const colon = located.lastIndexOf(":");
  const tagged = colon > located.lastIndexOf("/");
  const tag = tagged ? located.slice(colon + 1) : "latest";
  return {
    kind: "layout",
    path: tagged ? located.slice(0, colon) : located,
    reference: digest === undefined ? tag : parseDigest(digest),
  };
}
