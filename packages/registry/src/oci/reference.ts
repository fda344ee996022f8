import { FormatError } from "../errors.ts";
import { isDigest, type Digest } from "./digest.ts";

/** Where an image lies: a repository of a registry, and what of it. Made by {@link parseReference}. */
export interface Reference {
  /** The canonical host, with its port if it was given: `docker.io`, `ghcr.io`, `localhost:5000`. */
  readonly registry: string;
  /** The path on that host: `library/alpine`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The parts of a text that has a reference's form, before docker's defaults. */
export interface ReferenceParts {
  readonly domain?: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

// reference    := name [ ":" tag ] [ "@" digest ]
// name         := [ domain "/" ] component *( "/" component )
// domain       := host [ ":" port ]
// host         := label *( "." label ) | "[" IPv6 "]"
// component    := alphanumeric *( separator alphanumeric )
// separator    := "." | "_" | "__" | 1*"-"
const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const BARE_IDENTIFIER = /^[a-f0-9]{64}$/;

const PATH_LIMIT = 255;
// Longer than any path, tag, digest and host name together: what is longer is not looked at.
const TEXT_LIMIT = 4096;

/**
 * Splits a text by the grammar alone; `undefined` where it does not fit.
 *
 * Neither `@` nor, after the last slash, `:` can be part of a name, so the split needs no search.
 */
export function splitReference(text: string): ReferenceParts | undefined {
  if (text.length > TEXT_LIMIT) return undefined;
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const tagged = colon > named.lastIndexOf("/");
  const tag = tagged ? named.slice(colon + 1) : undefined;
  const name = tagged ? named.slice(0, colon) : named;
  if (digest !== undefined && !DIGEST.test(digest)) return undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const rest = {
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
  const slash = name.indexOf("/");
  const domain = name.slice(0, Math.max(slash, 0));
  if (slash > 0 && DOMAIN.test(domain) && isPath(name.slice(slash + 1))) {
    return { domain, path: name.slice(slash + 1), ...rest };
  }
  return isPath(name) ? { path: name, ...rest } : undefined;
}

function isPath(text: string): boolean {
  return text.split("/").every((component) => COMPONENT.test(component));
}

/**
 * Reads a reference as docker does: `alpine` is `docker.io/library/alpine`.
 *
 * Grammar: distribution/reference. Neither tag nor digest is made up; a tag beside a digest is kept and not used. A host
 * with an underscore is refused, which distribution/reference takes for a repository without a registry.
 *
 * @throws {FormatError} `REFERENCE_INVALID`
 */
export function parseReference(text: string): Reference {
  if (text === "") throw invalid(text, "is empty");
  if (BARE_IDENTIFIER.test(text)) throw invalid(text, "is an image id, not a name");
  const [registry, remainder] = splitRegistry(text);
  const [path = ""] = remainder.split(/[:@]/, 1);
  if (path !== path.toLowerCase()) throw invalid(text, `has upper-case letters in its repository ${path}`);
  const parts = splitReference(`${registry}/${remainder}`);
  if (parts === undefined) throw invalid(text, describeFault(registry, remainder));
  if (parts.domain === undefined) throw invalid(text, `names a host, ${registry}, that is none`);
  if (parts.path.length > PATH_LIMIT)
    throw invalid(text, `has a repository of more than ${PATH_LIMIT} characters`);
  const { digest } = parts;
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `has a digest that is none: ${digest}`);
  return {
    registry: parts.domain,
    repository: parts.path,
    ...(parts.tag === undefined ? {} : { tag: parts.tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** docker's rule for what is a host: it has a dot, a colon or an upper-case letter, or is `localhost`. */
function splitRegistry(text: string): readonly [registry: string, remainder: string] {
  const slash = text.indexOf("/");
  if (slash < 0) return ["docker.io", `library/${text}`];
  const first = text.slice(0, slash);
  const rest = text.slice(slash + 1);
  if (first === "docker.io" || first === "index.docker.io") {
    return ["docker.io", rest.includes("/") ? rest : `library/${rest}`];
  }
  const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  return isHost ? [first, rest] : ["docker.io", text];
}

function describeFault(registry: string, remainder: string): string {
  if (!DOMAIN.test(registry)) return `names a host, ${registry}, that is none`;
  const at = remainder.indexOf("@");
  if (at >= 0 && !DIGEST.test(remainder.slice(at + 1)))
    return `has ${JSON.stringify(remainder.slice(at + 1))} after its @, which is no digest`;
  const named = at < 0 ? remainder : remainder.slice(0, at);
  const colon = named.lastIndexOf(":");
  if (colon > named.lastIndexOf("/") && !TAG.test(named.slice(colon + 1)))
    return `has ${JSON.stringify(named.slice(colon + 1))} after its colon, which is no tag`;
  return "does not have a repository's form";
}

function invalid(text: string, what: string): FormatError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new FormatError("REFERENCE_INVALID", `The reference ${JSON.stringify(shown)} ${what}.`, {
    hint: "Write [host[:port]/]path[:tag][@digest], for example public.ecr.aws/docker/library/node:22.",
  });
}

/** The inverse of {@link parseReference}: everything written out. */
export function formatReference(reference: Reference): string {
  const { registry, repository, tag, digest } = reference;
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** As docker shows it: without `docker.io/` and `library/`. */
export function familiarReference(reference: Reference): string {
  const text = formatReference(reference);
  if (reference.registry !== "docker.io") return text;
  const official = /^library\/[^/]+$/.test(reference.repository);
  return text.slice((official ? "docker.io/library/" : "docker.io/").length);
}

/** What to ask the registry for: the digest, else the tag, else `latest`. */
export function referenceTarget(reference: Reference): string {
  return reference.digest ?? reference.tag ?? "latest";
}

/** The host that answers the API: Docker Hub's is not the one in its references. */
export function apiHost(registry: string): string {
  return isDockerHub(registry) ? "registry-1.docker.io" : registry;
}

/** Docker Hub under each of its names. */
export function isDockerHub(registry: string): boolean {
  return /^(?:docker\.io|index\.docker\.io|registry-1\.docker\.io)$/i.test(registry);
}

/**
 * The tag under which referrers lie where a registry has no referrers API (distribution-spec, "Referrers Tag Schema").
 *
 * @param digest - of any algorithm
 */
export function referrersTag(digest: string): string {
  const colon = digest.indexOf(":");
  const clean = (text: string, limit: number): string =>
    text.replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, limit);
  return `${clean(digest.slice(0, colon), 32)}-${clean(digest.slice(colon + 1), 64)}`;
}
