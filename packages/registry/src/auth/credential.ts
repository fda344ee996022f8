/** How to prove to a registry who we are. At least one of its forms is there. */
export interface Credential {
  readonly username?: string;
  readonly password?: string;
  /** To be exchanged for tokens by OAuth2 (a refresh token). */
  readonly identityToken?: string;
  /** A Bearer token that is ready for use. */
  readonly registryToken?: string;
}

/**
 * Finds the credential for a repository; `undefined` for none.
 *
 * @param registry - the canonical host: `docker.io`
 */
export type CredentialSource = (
  target: {
    readonly registry: string;
    readonly repository: string;
    /** What it is for. Default `pull`. */
    readonly access?: "pull" | "push";
  },
  options?: { readonly signal?: AbortSignal },
) => Promise<Credential | undefined>;

/** What `Authorization: Basic` says: UTF-8, then base64 (RFC 7617). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/** The strings that must not be seen by anybody. */
export function secretsOf(credential: Credential | undefined): readonly string[] {
  if (credential === undefined) return [];
  const { username, password, identityToken, registryToken } = credential;
  const basic =
    username === undefined || password === undefined
      ? undefined
      : basicAuthorization(username, password).slice("Basic ".length);
  return [password, identityToken, registryToken, basic].filter(
    (secret): secret is string => secret !== undefined && secret !== "",
  );
}
