import { Agent as HttpAgent, type ClientRequest } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { rootCertificates } from "node:tls";
import fetch from "node-fetch";
import type { HttpRequest, HttpResponse, TlsOptions, Transport } from "./http.ts";
import { errorCodeOf } from "./network-failure.ts";
import { addressToProxy, asProxyError, forwarded, tunnelled } from "./proxy-agent.ts";
import { proxyFor, type Environment } from "./proxy.ts";
import { publicLookup } from "./public-lookup.ts";

/** How connections are made. */
export interface NodeFetchTransportOptions {
  /** Milliseconds to connect, TLS included. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** Where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked up. Default `process.env`; `{}`: no proxy. */
  readonly environment?: Environment;
}

// Some registries sign their redirects at length; Node's own limit is 16 KiB.
const MAX_HEADER_SIZE = 64 * 1024;
const CONNECT_MS = 30_000;
const USER_AGENT = "undocked/0";

/**
 * The default transport, on node-fetch 3.
 *
 * What has to be known of node-fetch: it follows redirects with the credentials unless `manual`; it decodes bodies unless
 * `compress` is off; it closes connections unless given an agent; it never times out, and an agent's `timeout` does
 * nothing. Its redirected Location is made absolute, the path only: we resolve again. With the built-in fetch of Node 20
 * to 24 instead, an upload would be in memory as a whole.
 */
export function nodeFetchTransport(options: NodeFetchTransportOptions = {}): Transport {
  const agents = new Map<string, HttpAgent | HttpsAgent>();
  const lent: Lent = new WeakMap();
  let making: Answerer = {};
  const agentFor = (
    { url, tls, publicOnly, connectTimeoutMs }: HttpRequest,
    proxy: URL | undefined,
  ): HttpAgent | HttpsAgent => {
    const secure = url.startsWith("https:");
    const limit = connectTimeoutMs ?? options.connectTimeoutMs ?? CONNECT_MS;
    const key = JSON.stringify([secure ? (tls ?? {}) : "plain", publicOnly === true, proxy?.href, limit]);
    const known = agents.get(key);
    if (known !== undefined) return known;
    // The proxy resolves names, and is the one to judge them.
    const lookup = publicOnly === true && proxy === undefined ? { lookup: publicLookup } : {};
    const agent = secure ? httpsAgent(tls ?? {}, lookup, proxy) : httpAgent(lookup, proxy);
    withRequests(agent, (request) => {
      limitRequest(request, limit);
      if (!secure && proxy !== undefined) addressToProxy(request, proxy);
      tellOfSent(request, lent);
      if (proxy === undefined) noteAnswerer(request, making);
    });
    agents.set(key, agent);
    return agent;
  };
  const transport: Transport = async (request) => {
    const stop = new AbortController();
    const signal =
      request.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, request.signal]);
    const proxy = proxyFor(request.url, options.environment ?? process.env);
    const body = toBody(request, lent);
    const answerer: Answerer = {};
    // node-fetch makes its request, and that asks its agent, before it returns.
    making = answerer;
    const response = await fetch(request.url, {
      method: request.method,
      headers: { "User-Agent": USER_AGENT, "Accept-Encoding": "identity", ...request.headers },
      redirect: "manual",
      compress: false,
      agent: agentFor(request, proxy),
      signal,
      ...(body === undefined ? {} : { body }),
    }).catch((error: unknown) => {
      const code = errorCodeOf(error);
      if (proxy === undefined || code === undefined) throw error;
      throw asProxyError(code, request.url, proxy) ?? error;
    });
    const answer = toResponse(response.status, response.headers, response.body, () => {
      if (body instanceof Readable) body.destroy();
      stop.abort();
    });
    return { ...answer, ...answerer };
  };
  transport.heedsPublicOnly = true;
  transport.close = () => {
    for (const agent of agents.values()) agent.destroy();
    agents.clear();
  };
  return transport;
}

function toBody({ body, onSent }: HttpRequest, lent: Lent): Readable | Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body;
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const content = onSent === undefined ? body : noted(body, (chunk) => lent.set(chunk, onSent));
  return Readable.from(content, { objectMode: false });
}

/** Who answered a request: node-fetch does not tell. */
interface Answerer {
  address?: string;
}

function noteAnswerer(request: ClientRequest, answerer: Answerer): void {
  request.once("response", ({ socket: { remoteAddress } }) => {
    if (remoteAddress !== undefined) answerer.address = remoteAddress;
  });
}

/** Chunks of bodies, and who wants to know when they have been sent. */
type Lent = WeakMap<WeakKey, (chunk: Uint8Array) => void>;

async function* noted(
  chunks: AsyncIterable<Uint8Array>,
  note: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    note(chunk);
    yield chunk;
  }
}

/** node-fetch pipes a body's chunks into the request as they are, and asks nothing about what becomes of them. */
function tellOfSent(request: ClientRequest, lent: Lent): void {
  const write = request.write.bind(request);
  request.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const told = chunk instanceof Uint8Array && rest.length === 0 ? lent.get(chunk) : undefined;
    if (told === undefined || !(chunk instanceof Uint8Array))
      return Reflect.apply(write, request, [chunk, ...rest]) === true;
    lent.delete(chunk);
    return write(chunk, (error) => {
      if (error === undefined || error === null) told(chunk);
    });
  };
}

function toResponse(
  status: number,
  headers: { get(name: string): string | null },
  body: NodeJS.ReadableStream | null,
  stop: () => void,
): HttpResponse {
  let ended = false;
  // A body that nobody reads may still fail; that must not end the process.
  body?.on("error", () => undefined);
  return {
    status,
    headers,
    body: (async function* () {
      try {
        for await (const chunk of body ?? []) {
          yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
        }
        ended = true;
      } finally {
        if (!ended) stop();
      }
    })(),
    cancel: () => {
      if (!ended) stop();
    },
  };
}

const agentOptions = {
  keepAlive: true,
  keepAliveMsecs: 15_000,
  maxFreeSockets: 16,
  scheduling: "lifo",
} as const;

interface Lookup {
  readonly lookup?: LookupFunction;
}

function httpAgent(lookup: Lookup, proxy: URL | undefined): HttpAgent {
  const agent = new HttpAgent({ ...agentOptions, ...lookup });
  return proxy === undefined ? agent : forwarded(agent, proxy);
}

function httpsAgent(tls: TlsOptions, lookup: Lookup, proxy: URL | undefined): HttpsAgent {
  const { ca, cert, key, insecure } = tls;
  const agent = new HttpsAgent({
    ...agentOptions,
    ...lookup,
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ...[ca].flat()] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(insecure === true ? { rejectUnauthorized: false } : {}),
  });
  return proxy === undefined ? agent : tunnelled(agent, proxy);
}

/** What every ClientRequest calls on its agent, and a limit of the request: both are missing in Node's types. */
interface AgentInternals {
  addRequest(request: LimitedRequest, ...rest: unknown[]): void;
}

type LimitedRequest = ClientRequest & { maxHeaderSize?: number };

function hasInternals<T extends HttpAgent>(agent: T): agent is T & AgentInternals {
  return "addRequest" in agent && typeof agent.addRequest === "function";
}

/** What node-fetch makes of a request can be changed here alone. */
function withRequests(agent: HttpAgent, change: (request: LimitedRequest) => void): void {
  if (!hasInternals(agent)) return;
  const addRequest = agent.addRequest.bind(agent);
  agent.addRequest = (request, ...rest) => {
    change(request);
    addRequest(request, ...rest);
  };
}

/** Node's agents have no limit on the time to connect, and node-fetch passes no limit on headers through. */
function limitRequest(request: LimitedRequest, connectTimeoutMs: number): void {
  request.maxHeaderSize = MAX_HEADER_SIZE;
  request.once("socket", (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      const error: NodeJS.ErrnoException = new Error(`No connection after ${connectTimeoutMs} ms.`);
      error.code = "ETIMEDOUT";
      socket.destroy(error);
    }, connectTimeoutMs);
    const done = (): void => clearTimeout(timer);
    socket.once("encrypted" in socket ? "secureConnect" : "connect", done).once("close", done);
  });
}
