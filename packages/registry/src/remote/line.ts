import type { CredentialSource } from "../auth/credential.ts";
import { isLoopback, isPrivateAddress, isPrivateServer } from "./address.ts";
import { authorizer, type Authorizer } from "./authorizer.ts";
import { withClientCertificate, type ConfiguredOptions } from "./client-certificate.ts";
import type { RegistryLine } from "./context.ts";
import { connectLimit, findOrigin, tlsOptions, type HostOptions } from "./endpoint.ts";
import type { RegistryEvent } from "./events.ts";
import type { Gate } from "./gate.ts";
import type { TlsOptions, Transport } from "./http.ts";
import type { RetryOptions } from "./retry-policy.ts";
import { fetchToken } from "./token-server.ts";
import { turns } from "./turns.ts";
import type { TimeLimits } from "./watchdog.ts";

/** What the lines of one client share. */
export interface Shared {
  readonly transport: Transport;
  hostOptions(host: string): HostOptions;
  readonly credentials: CredentialSource;
  gateOf(url: string, method: string): Gate;
  readonly limits: TimeLimits;
  readonly retry: RetryOptions;
  readonly now: () => number;
  readonly onEvent: (event: RegistryEvent) => void;
}

/** One host, whose API's origin may be known. */
export interface LineTarget {
  /** The canonical host, for which credentials are looked up. */
  readonly registry: string;
  readonly host: ConfiguredOptions;
  readonly origin?: string;
}

/** Everything that a registry is asked goes over its line, which holds its tokens. */
export async function openLine(
  target: LineTarget,
  shared: Shared,
  signal: AbortSignal,
): Promise<RegistryLine> {
  const { transport, limits, retry, now, onEvent } = shared;
  const { registry } = target;
  const own = await withClientCertificate(target, target.host, transport, limits, signal);
  const origin = target.origin ?? (await findOrigin(registry, own, transport, limits, signal));
  const tlsOf = (url: string): TlsOptions | undefined => {
    if (!url.startsWith("https:")) return undefined;
    // Client certificates and a check that is turned off are for the host that was named, and for no other.
    return tlsOptions(new URL(url).origin === origin ? own : shared.hostOptions(new URL(url).host));
  };
  let answerer: string | undefined;
  const publicOnly: RegistryLine["publicOnly"] = (url, byPublic) =>
    transport.heedsPublicOnly === true &&
    new URL(url).origin !== origin &&
    (byPublic !== undefined || !isPrivateServer(new URL(origin), answerer));
  const server = { transport, tlsOf, publicOnly, limits, retry, now, onEvent };
  const told = new Set<string>();
  const warn = (message: string, code?: string): void => {
    if (told.has(message) || told.size >= WARNING_LIMIT) return;
    told.add(message);
    onEvent({ kind: "warning", registry, message, ...(code === undefined ? {} : { code }) });
  };
  const authorizerFor = (name: string, credentials: CredentialSource): Authorizer =>
    authorizer({
      registry: name,
      credentials: async (target, call) => {
        const credential = await credentials(target, call);
        if (credential === undefined || isConfidential(name === registry ? origin : `https://${name}`))
          return credential;
        warn(`The login for ${name} is not sent: it is on plain http.`, "LOGIN_NOT_SENT");
        return undefined;
      },
      fetchToken: (realm, service, scopes, credential, signal) => {
        const sent = isConfidential(realm) ? credential : undefined;
        if (sent !== credential)
          warn(`The login for ${name} is not sent: its token server is on plain http.`, "LOGIN_NOT_SENT");
        return fetchToken(server, realm, service, scopes, sent, signal);
      },
      onEvent,
      now,
    });
  const strangers = new Map<string, Authorizer>();
  return {
    origin,
    credentials: shared.credentials,
    turn: turns(),
    transport,
    limits,
    retry,
    now,
    onEvent,
    tlsOf,
    connectLimitOf: (url) =>
      connectLimit(new URL(url).origin === origin ? own : shared.hostOptions(new URL(url).host)),
    headersFor: (url) =>
      own.headers !== undefined && new URL(url).origin === origin && isConfidential(origin)
        ? own.headers
        : {},
    publicOnly,
    answerer: () => answerer,
    answeredBy(url, address) {
      if (address === undefined || new URL(url).origin !== origin) return;
      if (answerer === undefined || isPrivateAddress(answerer)) answerer = address;
    },
    authorizer: authorizerFor(registry, shared.credentials),
    strangerAt(other) {
      const known = strangers.get(other) ?? authorizerFor(new URL(other).host, async () => undefined);
      strangers.set(other, known);
      return known;
    },
    gateOf: (url, method) => shared.gateOf(url, method),
    pause(url, ms) {
      for (const method of ["GET", "PUT"]) shared.gateOf(url, method).pause(ms);
    },
    warn,
  };
}

const WARNING_LIMIT = 100;

/** Whether nobody between here and a URL's server can read along. */
function isConfidential(url: string): boolean {
  const { protocol, host } = new URL(url);
  return protocol === "https:" || isLoopback(host);
}
