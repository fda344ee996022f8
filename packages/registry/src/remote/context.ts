import type { CredentialSource } from "../auth/credential.ts";
import type { Line } from "./call.ts";
import type { Turns } from "./turns.ts";

/** A {@link Line} to a registry whose API's origin is known. */
export interface RegistryLine extends Line {
  readonly origin: string;
  readonly credentials: CredentialSource;
  /** For what two must not do at once. */
  readonly turn: Turns;
}

/** A repository: `library/alpine` of `docker.io`. */
export interface RepositoryName {
  /** The canonical host. */
  readonly registry: string;
  /** The path on it. */
  readonly repository: string;
}

/** What is known of a mirror. */
export interface MirrorState {
  /** Of which registry: sent along as `ns`, because one mirror may have several. */
  readonly of: string;
  /** It did not answer a moment ago. */
  isDown(): boolean;
  down(): void;
}

/** What every request to a repository is made of. */
export interface RepositoryContext extends RepositoryName {
  readonly line: RegistryLine;
  /** `<origin>/v2/<repository>` */
  readonly base: string;
  /** It is not the registry that was named, but a mirror of it. */
  readonly mirror?: MirrorState;
  /** Scopes. */
  readonly pull: readonly string[];
  readonly push: readonly string[];
}

/** A URL of a repository for reading; a mirror is told of which registry. */
export function readUrl(context: RepositoryContext, path: string): string {
  const { base, mirror } = context;
  return `${base}/${path}${mirror === undefined ? "" : `?ns=${encodeURIComponent(mirror.of)}`}`;
}
