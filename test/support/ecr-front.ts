import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { relay, type Fault } from "./relay.ts";
import { certificateAuthority, type Certificate, type CertificateAuthority } from "./tls.ts";

export interface SeenRequest {
  readonly origin: "registry" | "token" | "storage";
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** The scheme of the Authorization header. Its value is not kept. */
  readonly credential: "none" | "basic" | "bearer" | "other";
  readonly status: number;
  /** Bytes of the request's body. */
  readonly received: number;
  /** Bytes of the answer's body, as it came from the registry behind. */
  readonly sent: number;
}

export interface EcrFrontOptions {
  /** The registry behind, as `http://127.0.0.1:5000`; it asks for no credentials. */
  readonly upstream: string;
  /** PEM of the authority of the registry behind, if it speaks TLS. */
  readonly upstreamCa?: string;
  readonly authority?: CertificateAuthority;
  /** How the place of an upload is told. Default: `absolute`. */
  readonly locations?: "absolute" | "relative";
  /** Passwords by user. With them, a token that was got without one of them only reads. */
  readonly users?: Readonly<Record<string, string>>;
}

export interface EcrFront extends AsyncDisposable {
  /** `127.0.0.1:port`, as it stands in references. */
  readonly host: string;
  /** `127.0.0.1:port` of the second origin, which holds the blobs. */
  readonly storage: string;
  /** PEM of the authority of both. */
  readonly ca: string;
  /** In the order in which they came. */
  readonly requests: readonly SeenRequest[];
  /** What is changed on its way; may be added to and emptied at any time. */
  readonly faults: Fault[];
  /** The next so many requests that have a token are answered with 429. */
  refuse(count: number, retryAfter: string): void;
  /** Requests that offered a credential to the storage. */
  leaks(): readonly SeenRequest[];
}

interface State {
  readonly options: EcrFrontOptions;
  readonly tokens: Map<string, "reader" | "writer">;
  /** By the opaque path at the storage: the path of the blob behind. */
  readonly blobs: Map<string, string>;
  readonly requests: SeenRequest[];
  readonly faults: Fault[];
  refusals: { left: number; retryAfter: string };
  host: string;
  storage: string;
}

type Count = { received: number; sent: number };

const signature = "Expires=4102444800&Signature=a~b%2Fc_&Key-Pair-Id=K1";

/**
 * A local server in front of a registry that does as public.ecr.aws does: any request without a token is 401 with a
 * challenge, `/token/` gives a token to anybody, a blob is a 307 to another origin, which answers 400 to a request that
 * carries a credential. GET of a manifest has no Docker-Content-Digest there, HEAD has it.
 */
export async function ecrFront(options: EcrFrontOptions): Promise<EcrFront> {
  const authority = options.authority ?? certificateAuthority();
  const certificate = authority.issue("127.0.0.1", "localhost");
  const state: State = {
    options,
    tokens: new Map(),
    blobs: new Map(),
    requests: [],
    faults: [],
    refusals: { left: 0, retryAfter: "1" },
    host: "",
    storage: "",
  };
  const registry = serve(certificate, (request, response) => answerRegistry(state, request, response));
  const storage = serve(certificate, (request, response) => answerStorage(state, request, response));
  state.host = await listen(registry);
  state.storage = await listen(storage);
  return {
    host: state.host,
    storage: state.storage,
    ca: authority.cert,
    requests: state.requests,
    faults: state.faults,
    refuse(left, retryAfter) {
      state.refusals = { left, retryAfter };
    },
    leaks: () =>
      state.requests.filter(({ origin, credential }) => origin === "storage" && credential !== "none"),
    async [Symbol.asyncDispose]() {
      await Promise.all([close(registry), close(storage)]);
    },
  };
}

async function answerRegistry(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? "/";
  const path = url.replace(/\?.*$/s, "");
  if (path === "/token/") {
    record(state, "token", request, response);
    return giveToken(state, request, response);
  }
  const count = record(state, "registry", request, response);
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const role = token === undefined ? undefined : state.tokens.get(token);
  if (role === undefined) {
    const challenge = `Bearer realm="https://${state.host}/token/",service="public.ecr.aws",scope="aws"`;
    return refuse(request, response, 401, "UNAUTHORIZED", { "WWW-Authenticate": challenge });
  }
  const reads = request.method === "GET" || request.method === "HEAD";
  if (!reads && role === "reader") return refuse(request, response, 403, "DENIED");
  if (state.refusals.left > 0) {
    state.refusals.left -= 1;
    return refuse(request, response, 429, "TOOMANYREQUESTS", { "Retry-After": state.refusals.retryAfter });
  }
  if (request.method === "GET" && /^\/v2\/.+\/blobs\/[^/]+$/.test(path)) {
    const place = `/${randomUUID()}`;
    state.blobs.set(place, path);
    response.writeHead(307, { Location: `https://${state.storage}${place}?${signature}` });
    response.end();
    return;
  }
  await relay(request, response, {
    ...behind(state, request, url, count),
    onHeaders(headers) {
      if (typeof headers["location"] === "string") {
        headers["location"] = locationFor(state, headers["location"]);
      }
      if (request.method === "GET" && path.includes("/manifests/")) delete headers["docker-content-digest"];
    },
  });
}

async function answerStorage(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const count = record(state, "storage", request, response);
  if (request.headers.authorization !== undefined) return refuse(request, response, 400, "InvalidArgument");
  const [place = "", query] = (request.url ?? "").split("?");
  const path = state.blobs.get(place);
  // A client that writes the query anew breaks the signature.
  if (path === undefined || query !== signature) return refuse(request, response, 403, "AccessDenied");
  await relay(request, response, behind(state, request, path, count));
}

function behind(state: State, request: IncomingMessage, url: string, count: Count) {
  const fault = state.faults.find(({ on }) => request.method === "GET" && url.endsWith(`/${on}`));
  return { upstream: state.options.upstream, ca: state.options.upstreamCa, url, fault, count };
}

function giveToken(state: State, request: IncomingMessage, response: ServerResponse): void {
  const { users } = state.options;
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const [user = "", password] = Buffer.from(basic ?? "", "base64")
    .toString()
    .split(/:(.*)/s);
  const known = basic !== undefined && users?.[user] === password;
  if (basic !== undefined && !known) return refuse(request, response, 401, "UNAUTHORIZED");
  const token = randomUUID();
  state.tokens.set(token, known || users === undefined ? "writer" : "reader");
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ token }));
}

function locationFor(state: State, location: string): string {
  const { origin } = new URL(location, state.options.upstream);
  // As text: parsing and formatting a query again would change the state that the registry signed.
  const rest = location.startsWith(origin) ? location.slice(origin.length) : location;
  return state.options.locations === "relative" ? rest : `https://${state.host}${rest}`;
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  request.resume();
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message: code }] }));
}

function record(
  state: State,
  origin: SeenRequest["origin"],
  request: IncomingMessage,
  response: ServerResponse,
): Count {
  const count = { received: 0, sent: 0 };
  const { method = "", url = "" } = request;
  const scheme = request.headers.authorization?.split(" ")[0]?.toLowerCase() ?? "none";
  const credential = scheme === "none" || scheme === "basic" || scheme === "bearer" ? scheme : "other";
  state.requests.push({
    origin,
    method,
    url,
    credential,
    get status() {
      return response.statusCode;
    },
    get received() {
      return count.received;
    },
    get sent() {
      return count.sent;
    },
  });
  return count;
}

function serve(
  certificate: Certificate,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Server {
  return createServer({ ...certificate }, (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
