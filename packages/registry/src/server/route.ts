import { isDigest, type Digest } from "../oci/digest.ts";
import { Refusal } from "./reply.ts";

/** What a path of the distribution-spec, "Endpoints", names. Every name, tag and digest in it has its grammar's form. */
export type Route =
  | { readonly kind: "base" }
  | { readonly kind: "token" }
  | { readonly kind: "blob"; readonly name: string; readonly digest: Digest }
  | { readonly kind: "uploads"; readonly name: string }
  | { readonly kind: "upload"; readonly name: string; readonly id: string }
  | { readonly kind: "manifest"; readonly name: string; readonly reference: ManifestReference }
  | { readonly kind: "tags"; readonly name: string }
  | { readonly kind: "referrers"; readonly name: string; readonly digest: Digest };

export type ManifestReference =
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "digest"; readonly digest: Digest };

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const UPLOAD = /^[0-9a-f-]{36}$/;

/** @throws {Refusal} 404 for a path that is none of the API's, 400 for a name, tag or digest that is none */
export function parseRoute(path: string): Route {
  if (path === "/v2" || path === "/v2/") return { kind: "base" };
  if (path === "/token") return { kind: "token" };
  const segments = decoded(path).split("/");
  const [empty, version, ...rest] = segments;
  if (empty !== "" || version !== "v2") throw unknownPath();
  const last = rest.at(-1) ?? "";
  const name = (behind: number): string => parseName(rest.slice(0, -behind).join("/"));
  if (rest.at(-2) === "uploads" && rest.at(-3) === "blobs") {
    if (last === "") return { kind: "uploads", name: name(3) };
    if (UPLOAD.test(last)) return { kind: "upload", name: name(3), id: last };
    throw new Refusal(404, "BLOB_UPLOAD_UNKNOWN", "There is no such upload.");
  }
  if (last === "uploads" && rest.at(-2) === "blobs") return { kind: "uploads", name: name(2) };
  if (last === "list" && rest.at(-2) === "tags") return { kind: "tags", name: name(2) };
  switch (rest.at(-2)) {
    case "blobs":
      return { kind: "blob", name: name(2), digest: parseRouteDigest(last) };
    case "manifests":
      return { kind: "manifest", name: name(2), reference: parseManifestReference(last) };
    case "referrers":
      return { kind: "referrers", name: name(2), digest: parseRouteDigest(last) };
    case undefined:
    default:
      throw unknownPath();
  }
}

/** @throws {Refusal} `NAME_INVALID` */
export function parseName(name: string): string {
  if (name.length <= 255 && NAME.test(name)) return name;
  throw new Refusal(400, "NAME_INVALID", `${quoted(name)} is not a repository's name.`);
}

/** @throws {Refusal} `DIGEST_INVALID` */
export function parseRouteDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Refusal(400, "DIGEST_INVALID", `${quoted(text)} is not a digest.`);
}

/** @throws {Refusal} `MANIFEST_INVALID` */
export function parseTag(text: string): string {
  if (TAG.test(text)) return text;
  throw new Refusal(400, "MANIFEST_INVALID", `${quoted(text)} is not a tag.`);
}

function parseManifestReference(text: string): ManifestReference {
  return text.includes(":")
    ? { kind: "digest", digest: parseRouteDigest(text) }
    : { kind: "tag", tag: parseTag(text) };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw unknownPath();
  }
}

function unknownPath(): Refusal {
  return new Refusal(404, "UNSUPPORTED", "The path is none of the distribution API's.");
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
