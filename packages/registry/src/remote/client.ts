import type { Credential, CredentialSource } from "../auth/credential.ts";
import { storedCredentials } from "../auth/stored-credentials.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import type { CallOptions } from "../store/store.ts";
import { isLoopback } from "./address.ts";
import { authorizer, type Authorizer } from "./authorizer.ts";
import { checkLogin } from "./check-login.ts";
import { ecrCredentials } from "./ecr-credentials.ts";
import { findOrigin, tlsOptions, type HostOptions } from "./endpoint.ts";
import type { RegistryLine } from "./context.ts";
import type { RegistryEvent } from "./events.ts";
import { gate, type Gate } from "./gate.ts";
import { refuseUnknown, type Known } from "./known-options.ts";
import type { TlsOptions, Transport } from "./http.ts";
import { remoteRepository, type RemoteRepository } from "./repository.ts";
import { resolvesToPrivate } from "./public-lookup.ts";
import type { RetryOptions } from "./retry-policy.ts";
import { fetchToken } from "./token-server.ts";
import { nodeFetchTransport } from "./transport.ts";
import type { UploadOptions } from "./upload.ts";
import type { TimeLimits } from "./watchdog.ts";

export interface RegistryClientOptions {
  /**
   * Who we are: by registry host, or asked for each repository when a registry wants to know. Default: what docker and
   * podman have stored, and for a private ECR registry the AWS key of the environment or profile; `"anonymous"`: nobody.
   */
  readonly credentials?: CredentialSource | Readonly<Record<string, Credential>> | "anonymous";
  /** What is special about a host, by `host[:port]`: plain http, its authority, a client certificate. */
  readonly hosts?: Readonly<Record<string, HostOptions>>;
  /** Trusted for every host, beside the system's own: PEM. */
  readonly ca?: string | readonly string[];
  /** Default: node-fetch, with kept connections. One that is given is not closed. */
  readonly transport?: Transport;
  readonly limits?: Partial<TimeLimits>;
  readonly retry?: RetryOptions;
  /** Downloads from one host at once, and as many uploads. Default 6. */
  readonly concurrency?: number;
  readonly upload?: UploadOptions;
  readonly onEvent?: (event: RegistryEvent) => void;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** Talks to registries. Repositories made by one client share tokens, connections and pauses. */
export interface RegistryClient extends AsyncDisposable {
  /**
   * @param name - `host/path` as docker reads it; a tag or digest in it does not matter here
   * @throws {FormatError} `REFERENCE_INVALID`
   */
  repository(name: string | Reference): RemoteRepository;
  /**
   * Shows a registry the login that there is for it.
   *
   * @param host - `host[:port]`, as references spell it
   * @throws {RegistryError} `UNAUTHORIZED` where it is not taken, and what any request can throw
   */
  checkLogin(host: string, options?: CallOptions): Promise<void>;
}

const defaultLimits: TimeLimits = { headersMs: 60_000, idleMs: 60_000 };

/** @throws {TypeError} for an option that is none */
export function registryClient(options: RegistryClientOptions = {}): RegistryClient {
  checkOptions(options);
  const transport = options.transport ?? nodeFetchTransport();
  const lines = new Map<string, Promise<RegistryLine>>();
  const shared = sharedOf(options, transport);
  const lineTo = (registry: string): Promise<RegistryLine> => {
    const known = lines.get(registry);
    if (known !== undefined) return known;
    const made = openLine(registry, shared);
    lines.set(registry, made);
    made.catch(() => lines.delete(registry));
    return made;
  };
  return {
    repository(name) {
      const { registry, repository } = typeof name === "string" ? parseReference(name) : name;
      return remoteRepository({ registry, repository }, () => lineTo(registry), options.upload ?? {});
    },
    async checkLogin(host, call = {}) {
      const { registry } = parseReference(`${host}/any`);
      await checkLogin(await lineTo(registry), call);
    },
    async [Symbol.asyncDispose]() {
      if (options.transport === undefined) transport.close?.();
    },
  };
}

const knownOptions: Known<RegistryClientOptions> = {
  credentials: true,
  hosts: true,
  ca: true,
  transport: true,
  limits: true,
  retry: true,
  concurrency: true,
  upload: true,
  onEvent: true,
  now: true,
};
const knownLimits: Known<TimeLimits> = { headersMs: true, idleMs: true };
const knownRetry: Known<RetryOptions> = { retries: true, baseMs: true, capMs: true, random: true };
const knownUpload: Known<UploadOptions> = { chunkSize: true };
const knownHost: Known<HostOptions> = { ca: true, cert: true, key: true, insecure: true, plainHttp: true };

function checkOptions(options: RegistryClientOptions): void {
  refuseUnknown(options, knownOptions, "a registry client");
  refuseUnknown(options.limits, knownLimits, "a registry client's limits");
  refuseUnknown(options.retry, knownRetry, "a registry client's retry");
  refuseUnknown(options.upload, knownUpload, "a registry client's upload");
  for (const host of Object.values(options.hosts ?? {}))
    refuseUnknown(host, knownHost, "a registry client's host");
}

interface Shared {
  readonly transport: Transport;
  readonly hostOptions: (host: string) => HostOptions;
  readonly credentials: CredentialSource;
  readonly gates: Map<string, Gate>;
  readonly options: RegistryClientOptions;
  readonly limits: TimeLimits;
  readonly onEvent: (event: RegistryEvent) => void;
}

function sharedOf(options: RegistryClientOptions, transport: Transport): Shared {
  const { hosts = {}, ca } = options;
  return {
    transport,
    options,
    hostOptions: (host) => ({ ...(ca === undefined ? {} : { ca }), ...hosts[host] }),
    credentials: credentialSource(options, transport, { ...defaultLimits, ...options.limits }),
    gates: new Map(),
    limits: { ...defaultLimits, ...options.limits },
    onEvent: options.onEvent ?? (() => undefined),
  };
}

function credentialSource(
  { credentials: given, onEvent, now = Date.now }: RegistryClientOptions,
  transport: Transport,
  limits: TimeLimits,
): CredentialSource {
  if (given === undefined) {
    const stored = storedCredentials({
      onWarning: (message) => onEvent?.({ kind: "warning", registry: "", message }),
    });
    const ecr = ecrCredentials({ transport, limits, now });
    return async (target) => (await stored(target)) ?? (await ecr(target));
  }
  if (given === "anonymous") return async () => undefined;
  if (typeof given === "function") return given;
  return async ({ registry }) => (Object.hasOwn(given, registry) ? given[registry] : undefined);
}

async function openLine(registry: string, shared: Shared): Promise<RegistryLine> {
  const { transport, limits, options, onEvent } = shared;
  const { retry = {}, now = Date.now } = options;
  const own = shared.hostOptions(registry);
  const origin = await findOrigin(registry, own, transport, limits);
  const tlsOf = (url: string): TlsOptions | undefined => {
    if (!url.startsWith("https:")) return undefined;
    // Client certificates and a check that is turned off are for the host that was named, and for no other.
    return tlsOptions(new URL(url).origin === origin ? own : shared.hostOptions(new URL(url).host));
  };
  let isPublic: Promise<boolean> | undefined;
  const publicOnly = async (url: string): Promise<boolean> => {
    if (transport.heedsPublicOnly !== true || new URL(url).origin === origin) return false;
    isPublic ??= resolvesToPrivate(origin).then((isPrivate) => !isPrivate);
    return await isPublic;
  };
  const server = { transport, tlsOf, publicOnly, limits, retry, now };
  const told = new Set<string>();
  const warn = (message: string): void => {
    if (told.has(message) || told.size >= WARNING_LIMIT) return;
    told.add(message);
    onEvent({ kind: "warning", registry, message });
  };
  const authorizerFor = (name: string, credentials: CredentialSource): Authorizer =>
    authorizer({
      registry: name,
      credentials: async (target) => {
        const credential = await credentials(target);
        if (credential === undefined || isConfidential(name === registry ? origin : `https://${name}`))
          return credential;
        warn(`The login for ${name} is not sent: it is on plain http.`);
        return undefined;
      },
      fetchToken: (realm, service, scopes, credential) =>
        fetchToken(server, realm, service, scopes, isConfidential(realm) ? credential : undefined),
      onEvent,
      now,
    });
  const strangers = new Map<string, Authorizer>();
  return {
    origin,
    credentials: shared.credentials,
    transport,
    limits,
    retry,
    now,
    onEvent,
    tlsOf,
    publicOnly,
    authorizer: authorizerFor(registry, shared.credentials),
    strangerAt(other) {
      const known = strangers.get(other) ?? authorizerFor(new URL(other).host, async () => undefined);
      strangers.set(other, known);
      return known;
    },
    gateOf: (url, method) => gateOf(shared, url, method),
    pause(url, ms) {
      for (const method of ["GET", "PUT"]) gateOf(shared, url, method).pause(ms);
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

/** Reading and writing wait apart: an upload that reads from the same host would wait for itself. */
function gateOf(shared: Shared, url: string, method: string): Gate {
  const writes = method === "PUT" || method === "POST" || method === "PATCH";
  const key = `${new URL(url).host} ${writes ? "write" : "read"}`;
  const known = shared.gates.get(key);
  if (known !== undefined) return known;
  const made = gate(shared.options.concurrency ?? 6);
  shared.gates.set(key, made);
  return made;
}
