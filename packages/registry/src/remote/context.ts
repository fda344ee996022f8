import type { CredentialSource } from "../auth/credential.ts";
import type { Line } from "./call.ts";

/** A {@link Line} to a registry whose API's origin is known. */
export interface RegistryLine extends Line {
  readonly origin: string;
  readonly credentials: CredentialSource;
}

export interface RepositoryName {
  /** The canonical host. */
  readonly registry: string;
  /** The path on it. */
  readonly repository: string;
}

/** What every request to a repository is made of. */
export interface RepositoryContext extends RepositoryName {
  readonly line: RegistryLine;
  /** `<origin>/v2/<repository>` */
  readonly base: string;
  /** Scopes. */
  readonly pull: readonly string[];
  readonly push: readonly string[];
}
