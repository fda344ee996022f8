import { startRegistry } from "@undocked/registry/server";
import { startDockerRegistry } from "../../support/docker-registry.ts";
import { certificateAuthority, type Certificate } from "../../support/tls.ts";
import { startTokenService } from "../../support/token-service.ts";
import { lacks } from "../../support/tools.ts";

/** A registry and the token service beside it, both on plain http: what stands before them speaks TLS, or does not. */
export interface Backend extends AsyncDisposable {
  readonly registry: string;
  /** Its path is `/token`. */
  readonly tokens: string;
}

/** One of the four places that the checklist is gone through at. */
export interface Setup {
  readonly name: string;
  readonly server: "docker-registry" | "embedded";
  /** Behind TLS of a private authority, open only to those with a token. */
  readonly secure: boolean;
  readonly missing: boolean;
  open(realm: string): Promise<Backend>;
}

export const authority = certificateAuthority();
export const service = "checklist";
/** Who may do everything. The password is one that must be seen nowhere but at the token service. */
export const login = { username: "user", password: "CANARY:pässword" };

const users = { [login.username]: login.password };
const signer: Certificate = authority.issue("signer");
const issuer = "undocked-test";

async function embedded(realm: string, secure: boolean): Promise<Backend> {
  const auth = { type: "bearer", users, anonymous: "pull", realm, service } as const;
  const registry = await startRegistry(secure ? { auth } : {});
  if (secure) {
    return { registry: registry.url, tokens: registry.url, [Symbol.asyncDispose]: () => registry.close() };
  }
  const tokens = await startTokenService({ signer, issuer, users });
  return {
    registry: registry.url,
    tokens: tokens.url,
    async [Symbol.asyncDispose]() {
      await registry.close();
      await tokens[Symbol.asyncDispose]();
    },
  };
}

async function docker(realm: string, secure: boolean): Promise<Backend> {
  const auth = { kind: "token", realm, service, issuer, rootCertificate: authority.cert } as const;
  const registry = await startDockerRegistry(secure ? { auth } : {});
  const tokens = await startTokenService({ signer, issuer, users });
  return {
    registry: registry.url,
    tokens: tokens.url,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
    },
  };
}

const withoutDocker = lacks("docker-registry");

export const setups: readonly Setup[] = [
  {
    name: "docker-registry, plain http",
    server: "docker-registry",
    secure: false,
    missing: withoutDocker,
    open: (realm) => docker(realm, false),
  },
  {
    name: "docker-registry, behind TLS with a token service",
    server: "docker-registry",
    secure: true,
    missing: withoutDocker,
    open: (realm) => docker(realm, true),
  },
  {
    name: "the embedded server, plain http",
    server: "embedded",
    secure: false,
    missing: false,
    open: (realm) => embedded(realm, false),
  },
  {
    name: "the embedded server, behind TLS with a token service",
    server: "embedded",
    secure: true,
    missing: false,
    open: (realm) => embedded(realm, true),
  },
];
