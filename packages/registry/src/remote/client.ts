import type { Credential, CredentialSource } from "../auth/credential.ts";
import { storedCredentials } from "../auth/stored-credentials.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import type { CallOptions } from "../store/store.ts";
import { checkLogin } from "./check-login.ts";
import { ecrCredentials } from "./ecr-credentials.ts";
import type { HostOptions } from "./endpoint.ts";
import type { RegistryEvent } from "./events.ts";
import { gates } from "./gates.ts";
import { given, givenOptions, type Known } from "./known-options.ts";
import type { Transport } from "./http.ts";
import type { Shared } from "./line.ts";
import type { MirrorOptions } from "./mirrors.ts";
import { repositoryPlaces } from "./places.ts";
import { remoteRepository, type RemoteRepository } from "./repository.ts";
import type { RetryOptions } from "./retry-policy.ts";
import { nodeFetchTransport } from "./transport.ts";
import type { UploadOptions } from "./upload.ts";
import type { TimeLimits } from "./watchdog.ts";

/** How registries are spoken to. Every field is optional; what is read of the machine can be handed in instead. */
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
  /** To one host, at even intervals; fewer than one are so many seconds between two. Default: as many as there are. */
  readonly requestsPerSecond?: number;
  readonly upload?: UploadOptions;
  /**
   * Layers that must not be distributed lie at URLs of their own. `"fetch"`: what the registry does not have of them is
   * fetched from there, without credentials. Default `"never"`: a manifest decides nothing about whom we ask.
   */
  readonly foreignLayers?: "fetch" | "never";
  /** Hosts to read from before a registry is asked, by registry. They get neither its credentials nor what is written. */
  readonly mirrors?: Readonly<Record<string, readonly MirrorOptions[]>>;
  /**
   * Directories such as `/etc/containerd/certs.d` and `/etc/docker/certs.d`. In `<directory>/<host[:port]>` are read
   * containerd's `hosts.toml`, and docker's `*.crt`, `*.cert` and `*.key`. Default: none.
   */
  readonly hostDirectories?: readonly string[];
  /** Files in the form of podman's `registries.conf`, version 2: mirrors, other locations, blocked names. Default: none. */
  readonly registriesFiles?: readonly string[];
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

/**
 * The repositories of registries, over one set of connections, logins and limits. Nothing is asked before something is wanted.
 *
 * @throws {TypeError} for an option that is none
 */
export function registryClient(from: RegistryClientOptions = {}): RegistryClient {
  const options = checkedOptions(from);
  const transport = options.transport ?? nodeFetchTransport();
  const places = repositoryPlaces(sharedOf(options, transport), options);
  return {
    repository(name) {
      const { registry, repository } = typeof name === "string" ? parseReference(name) : name;
      const { upload = {}, foreignLayers = "never", limits: { totalMs } = {} } = options;
      return remoteRepository({ registry, repository }, places.of({ registry, repository }), {
        upload,
        foreignLayers,
        ...(totalMs === undefined ? {} : { totalMs }),
      });
    },
    async checkLogin(host, call = {}) {
      const { registry } = parseReference(`${host}/any`);
      await checkLogin(await places.line(registry, call.signal), call);
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
  requestsPerSecond: true,
  mirrors: true,
  hostDirectories: true,
  registriesFiles: true,
  upload: true,
  foreignLayers: true,
  onEvent: true,
  now: true,
};
const knownLimits: Known<TimeLimits> = { headersMs: true, idleMs: true, totalMs: true };
const knownRetry: Known<RetryOptions> = { retries: true, baseMs: true, capMs: true, random: true };
const knownUpload: Known<UploadOptions> = { chunkSize: true };
const knownHost: Known<HostOptions> = {
  ca: true,
  cert: true,
  key: true,
  insecure: true,
  plainHttp: true,
  headers: true,
  connectTimeoutMs: true,
};
const knownMirror: Known<MirrorOptions> = { ...knownHost, url: true, tags: true };

/** @throws {TypeError} for an option that is none */
function checkedOptions(options: RegistryClientOptions): RegistryClientOptions {
  const all = givenOptions(options, knownOptions, "a registry client");
  const { limits = {}, retry = {}, upload = {}, hosts = {}, mirrors = {}, requestsPerSecond } = all;
  if (requestsPerSecond !== undefined && !(requestsPerSecond > 0)) {
    throw new TypeError("requestsPerSecond is more than 0.");
  }
  return {
    ...all,
    limits: givenOptions<Partial<TimeLimits>>(limits, knownLimits, "a registry client's limits"),
    retry: givenOptions(retry, knownRetry, "a registry client's retry"),
    upload: givenOptions(upload, knownUpload, "a registry client's upload"),
    hosts: Object.fromEntries(
      Object.entries(given(hosts)).map(([name, host]) => [
        name,
        withHeaders(givenOptions(host, knownHost, "a registry client's host")),
      ]),
    ),
    mirrors: Object.fromEntries(
      Object.entries(given(mirrors)).map(([name, its]) => [
        name,
        its.map((mirror) => withHeaders(givenOptions(mirror, knownMirror, "a registry client's mirror"))),
      ]),
    ),
  };
}

function withHeaders<T extends HostOptions>(host: T): T {
  return host.headers === undefined ? host : { ...host, headers: given(host.headers) };
}

function sharedOf(options: RegistryClientOptions, transport: Transport): Shared {
  const { hosts = {}, ca, concurrency = 6, requestsPerSecond, retry = {}, now = Date.now } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const named = new Map(Object.entries(hosts).map(([host, its]) => [host.toLowerCase(), its]));
  return {
    transport,
    hostOptions: (host) => ({ ...(ca === undefined ? {} : { ca }), ...named.get(host.toLowerCase()) }),
    credentials: credentialSource(options, transport, limits),
    gateOf: gates({ concurrency, requestsPerSecond }),
    limits,
    retry,
    now,
    onEvent: options.onEvent ?? (() => undefined),
  };
}

function credentialSource(
  { credentials: given, onEvent = () => undefined, now = Date.now, retry = {} }: RegistryClientOptions,
  transport: Transport,
  limits: TimeLimits,
): CredentialSource {
  if (given === undefined) {
    const stored = storedCredentials({
      onWarning: (message, code) => onEvent({ kind: "warning", registry: "", message, code }),
    });
    const ecr = ecrCredentials({ transport, limits, now, retry, onEvent });
    return async (target, call) => (await stored(target, call)) ?? (await ecr(target, call));
  }
  if (given === "anonymous") return async () => undefined;
  if (typeof given === "function") return given;
  return async ({ registry }) => (Object.hasOwn(given, registry) ? given[registry] : undefined);
}
