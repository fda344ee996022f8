import { parseChallenges, pickChallenge, type Challenge } from "../auth/challenge.ts";
import { basicAuthorization, secretsOf, type Credential, type CredentialSource } from "../auth/credential.ts";
import { mergeScopes, requestScopes } from "../auth/scope.ts";
import type { Token } from "../auth/token.ts";
import type { RegistryEvent } from "./events.ts";
import { judgeRealm } from "./realm.ts";
import { describeRefusal } from "./location.ts";
import { redactUrl, urlWithoutSecrets } from "./redact.ts";
import { RegistryError } from "./registry-error.ts";
import { keptRequests, sharedRequests } from "./shared-requests.ts";

/** What a request needs to be allowed. */
export interface Permission {
  readonly repository: string;
  readonly scopes: readonly string[];
  /** The request takes long: the token should not end in the middle of it. */
  readonly long?: boolean;
}

/** Knows one registry's way of letting people in, and holds its tokens. */
export interface Authorizer {
  /** The `Authorization` header to send; `undefined` while the registry has not asked for one. */
  header(permission: Permission, signal: AbortSignal | undefined): Promise<string | undefined>;
  /**
   * Takes in a refusal. `true`: {@link header} has something better now than what was sent.
   *
   * @param used - the header that was refused
   */
  refused(refusal: Refusal, signal: AbortSignal | undefined): Promise<boolean>;
  secrets(): readonly string[];
}

export interface Refusal {
  readonly url: string;
  /** Which refused, where that is known. */
  readonly address?: string | undefined;
  readonly wwwAuthenticate: string | null;
  readonly used: string | undefined;
  readonly permission: Permission;
}

export interface AuthorizerOptions {
  /** The canonical host, for which credentials are looked up. */
  readonly registry: string;
  readonly credentials: CredentialSource;
  readonly fetchToken: (
    realm: string,
    service: string | undefined,
    scopes: readonly string[],
    credential: Credential | undefined,
    signal: AbortSignal,
  ) => Promise<Token>;
  readonly onEvent: (event: RegistryEvent) => void;
  readonly now: () => number;
}

interface HeldToken {
  readonly header: string;
  readonly expiresAt: number;
  readonly lifetimeMs: number;
}

export function authorizer(options: AuthorizerOptions): Authorizer {
  const { registry, now } = options;
  const tokens = new Map<string, HeldToken>();
  const shareToken = sharedRequests<HeldToken>();
  const askCredential = keptRequests<Credential | undefined>();
  const refreshed = new Map<Credential, Credential>();
  const secrets = new Set<string>();
  // Scopes that the registry demanded beyond what the request seemed to need.
  const demands = new Map<string, readonly string[]>();
  let way: Way | undefined;
  let withoutLogin = false;

  const credentialFor = async (
    { repository, scopes }: Permission,
    signal: AbortSignal | undefined,
  ): Promise<Credential | undefined> => {
    if (withoutLogin) return undefined;
    const access = scopes.every((scope) => scope.endsWith(":pull")) ? "pull" : "push";
    const credential = await askCredential(`${access} ${repository}`, signal, async (stop) =>
      options.credentials({ registry, repository, access }, { signal: stop }),
    );
    for (const secret of secretsOf(credential)) secrets.add(secret);
    return credential;
  };

  const bearer = async (
    known: Way & { kind: "bearer" },
    permission: Permission,
    signal: AbortSignal | undefined,
  ): Promise<HeldToken> => {
    const credential = await credentialFor(permission, signal);
    if (credential?.registryToken !== undefined) {
      return {
        header: `Bearer ${credential.registryToken}`,
        expiresAt: Number.POSITIVE_INFINITY,
        lifetimeMs: Number.POSITIVE_INFINITY,
      };
    }
    const key = tokenKey(known, permission, credential);
    const held = tokens.get(key);
    if (held !== undefined && isFresh(held, permission, now())) return held;
    return await shareToken(
      key,
      signal,
      async (stop) => await fetchToken(known, permission, credential, key, stop),
    );
  };

  const fetchToken = async (
    known: Way & { kind: "bearer" },
    permission: Permission,
    credential: Credential | undefined,
    key: string,
    signal: AbortSignal,
  ): Promise<HeldToken> => {
    const demanded = demands.get(demandKey(permission)) ?? [];
    const scopes = requestScopes(permission.scopes, demanded);
    const { realm, service } = known;
    const current = credential === undefined ? undefined : (refreshed.get(credential) ?? credential);
    const token = await options.fetchToken(realm, service, scopes, current, signal);
    if (token.refreshToken !== undefined && credential !== undefined) {
      refreshed.set(credential, { ...credential, identityToken: token.refreshToken });
      secrets.add(token.refreshToken);
    }
    secrets.add(token.token);
    options.onEvent({
      kind: "token",
      registry,
      realm: redactUrl(urlWithoutSecrets(realm, [...secrets])),
      scopes,
      anonymous: credential === undefined,
    });
    const lifetimeMs = token.lifetimeSeconds * 1000;
    const held = { header: `Bearer ${token.token}`, expiresAt: now() + lifetimeMs, lifetimeMs };
    tokens.set(key, held);
    return held;
  };

  const header: Authorizer["header"] = async (permission, signal) => {
    if (way === undefined) return undefined;
    if (way.kind === "bearer") {
      try {
        return (await bearer(way, permission, signal)).header;
      } catch (error) {
        if (!isStaleLogin(error, permission)) throw error;
        goWithoutLogin();
        return (await bearer(way, permission, signal)).header;
      }
    }
    const credential = await credentialFor(permission, signal);
    if (credential?.username === undefined) return undefined;
    return basicAuthorization(credential.username, credential.password ?? "");
  };

  /** Public ECR refuses a login that has ended, where none at all would do. */
  const isStaleLogin = (error: unknown, { scopes }: Permission): boolean =>
    registry === "public.ecr.aws" &&
    !withoutLogin &&
    error instanceof RegistryError &&
    (error.status === 400 || error.status === 401 || error.status === 403) &&
    scopes.every((scope) => scope.endsWith(":pull"));

  const goWithoutLogin = (): void => {
    withoutLogin = true;
    options.onEvent({
      kind: "warning",
      registry,
      code: "LOGIN_EXPIRED",
      message: `The stored login for ${registry} has ended; going on without it. Remove it with docker logout ${registry}.`,
    });
  };

  return {
    header,
    async refused(refusal, signal) {
      const { permission, used, wwwAuthenticate } = refusal;
      const picked = pickChallenge(parseChallenges(wwwAuthenticate ?? ""));
      if (picked === undefined || picked === "refused") {
        // A 403 of public ECR has no challenge; what it dislikes is the login.
        if (used === undefined || picked === "refused") return false;
        if ((await credentialFor(permission, signal)) === undefined) return false;
        const stale = new RegistryError("DENIED", "", { status: 403 });
        if (!isStaleLogin(stale, permission)) return false;
        goWithoutLogin();
        tokens.clear();
        return true;
      }
      way = wayOf(picked, refusal);
      const demanded = (picked.params.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
      const more = picked.params.get("error") === "insufficient_scope" || used === undefined;
      if (more && demanded.length > 0) demands.set(demandKey(permission), demanded);
      const current = await header(permission, signal);
      if (current !== used || way.kind === "basic") return current !== undefined && current !== used;
      // What was refused is what we hold: it has ended early, or does not reach. Once more, with a new one.
      const credential = await credentialFor(permission, signal);
      tokens.delete(tokenKey(way, permission, credential));
      return (await header(permission, signal)) !== used;
    },
    secrets: () => [...secrets],
  };

  function tokenKey(
    known: Way & { kind: "bearer" },
    permission: Permission,
    credential: Credential | undefined,
  ): string {
    const demanded = demands.get(demandKey(permission)) ?? [];
    return JSON.stringify([
      known.realm,
      known.service,
      credential?.username ?? "",
      credential === undefined ? "anonymous" : permission.repository,
      mergeScopes(requestScopes(permission.scopes, demanded)),
    ]);
  }

  function demandKey(permission: Permission): string {
    return mergeScopes(permission.scopes).join(" ");
  }

  function wayOf(challenge: Challenge, { url, address }: Refusal): Way {
    if (challenge.scheme === "basic") return { kind: "basic" };
    const judged = judgeRealm(challenge.params.get("realm") ?? "", url, address);
    if (judged.kind === "refused") {
      throw new RegistryError(
        "REDIRECT_REFUSED",
        `${registry} names a token server that ${describeRefusal(judged.reason)}.`,
        { url, hint: "No login is sent there. Ask whoever runs the registry to correct its realm." },
      );
    }
    const service = challenge.params.get("service");
    return { kind: "bearer", realm: judged.url, ...(service === undefined ? {} : { service }) };
  }
}

type Way =
  | { readonly kind: "basic" }
  | { readonly kind: "bearer"; readonly realm: string; readonly service?: string };

// Enough for a request to reach the registry while the token still holds.
const MARGIN_MS = 10_000;
const LONG_MARGIN_MS = 60_000;

function isFresh(token: HeldToken, permission: Permission, now: number): boolean {
  const margin = permission.long === true ? Math.min(LONG_MARGIN_MS, token.lifetimeMs / 2) : MARGIN_MS;
  return token.expiresAt - now > margin;
}
