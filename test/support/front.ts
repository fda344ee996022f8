import { once } from "node:events";
import {
  request as requestPlain,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { localServer } from "./local-server.ts";
import type { Certificate } from "./tls.ts";

/** A request as the front saw it. */
export interface FrontRequest {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** As it came, with its query. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly authorization: string | undefined;
  /** All of it. */
  readonly body: Buffer;
  /** Of the answer; 0 where the connection ended instead. */
  status: number;
}

export interface Reply {
  readonly status: number;
  /** Named in lower case; `undefined` is none. */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  readonly body?: Uint8Array | string;
  /** The connection ends after so many bytes of the body. */
  readonly cutAfter?: number;
}

/** What is passed on in place of what came. */
export interface Changed {
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: Uint8Array;
}

/** Asks the server behind the front. */
export type Pass = (change?: Changed) => Promise<Reply>;

/** `undefined`: the next rule is asked, and in the end the server. */
export type Outcome = Reply | "reset" | "close" | "silence" | undefined;

export type Rule = (request: FrontRequest, pass: Pass) => Outcome | Promise<Outcome>;

/** Stands before a server, shows what it was asked, and comes between as it is told. */
export interface Front extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  /** Since the last {@link Front.clear}. */
  readonly requests: readonly FrontRequest[];
  /** `GET /v2/ 200` of each, without queries. */
  lines(): readonly string[];
  /** Those of a method and a path. */
  asked(method: string, path: RegExp): readonly FrontRequest[];
  /** The first rule that has an outcome counts. */
  on(rule: Rule): void;
  /** Forgets the rules and what was asked. */
  clear(): void;
}

export interface FrontOptions {
  /** Where the server is, on plain http; asked for each request, so that it may begin to listen later. */
  readonly upstream: () => string;
  /** Default: plain http. */
  readonly tls?: Certificate | undefined;
  /** The `Authorization` that the server gets instead of the client's. */
  readonly authorization?: (request: FrontRequest) => Promise<string | undefined>;
  /** Told of every request at once, before any rule. */
  readonly onRequest?: (request: FrontRequest) => void;
  readonly onReply?: (request: FrontRequest, reply: Reply) => void;
}

/** Bodies are held in memory: it is for content of a few megabytes. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const requests: FrontRequest[] = [];
  const rules: Rule[] = [];
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await requestOf(incoming);
    requests.push(request);
    options.onRequest?.(request);
    const pass: Pass = async (change) => await askServer(options, request, change);
    const outcome = (await firstOutcome(rules, request, pass)) ?? (await pass());
    if (outcome === "silence") return;
    if (outcome === "reset" || outcome === "close") {
      if (outcome === "reset") incoming.socket.resetAndDestroy();
      else incoming.socket.destroy();
      return;
    }
    request.status = outcome.status;
    options.onReply?.(request, outcome);
    send(outcome, request.method, response);
  };
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    incoming.on("error", () => undefined);
    answer(incoming, response).catch(() => response.destroy());
  };
  const server = await localServer(listener, { tls: options.tls, keepAliveMs: 60_000 });
  return {
    host: server.host,
    url: server.url,
    requests,
    lines: () => requests.map(({ method, path, status }) => `${method} ${path} ${status}`),
    asked: (method, path) => requests.filter((it) => it.method === method && path.test(it.target)),
    on: (rule) => void rules.push(rule),
    clear() {
      rules.length = 0;
      requests.length = 0;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function requestOf(incoming: IncomingMessage): Promise<FrontRequest> {
  const target = incoming.url ?? "/";
  const [path = "/", query = ""] = target.split("?", 2);
  return {
    method: incoming.method ?? "",
    path,
    query: new URLSearchParams(query),
    target,
    headers: incoming.headers,
    authorization: incoming.headers.authorization,
    body: await bodyOf(incoming),
    status: 0,
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function firstOutcome(rules: readonly Rule[], request: FrontRequest, pass: Pass): Promise<Outcome> {
  for (const rule of rules) {
    const outcome = await rule(request, pass);
    if (outcome !== undefined) return outcome;
  }
  return undefined;
}

async function askServer(
  options: FrontOptions,
  request: FrontRequest,
  { target = request.target, headers: changed = {}, body = request.body }: Changed = {},
): Promise<Reply> {
  const { connection: _hop, "transfer-encoding": _encoding, authorization: own, ...kept } = request.headers;
  const authorization = options.authorization === undefined ? own : await options.authorization(request);
  const headers = Object.entries({
    ...kept,
    ...(authorization === undefined ? {} : { authorization }),
    // The host is the client's: Locations lead back to the front.
    ...(options.tls === undefined ? {} : { "x-forwarded-proto": "https" }),
    ...(body.byteLength > 0 || kept["content-length"] !== undefined
      ? { "content-length": String(body.byteLength) }
      : {}),
    ...changed,
  }).filter((header): header is [string, string | string[]] => header[1] !== undefined);
  const server = new URL(options.upstream());
  const onward = requestPlain({
    host: server.hostname,
    port: server.port,
    method: request.method,
    path: target,
    headers: Object.fromEntries(headers),
    agent: false,
  });
  onward.end(body);
  const [answer] = (await once(onward, "response")) as [IncomingMessage];
  const { connection: _answerHop, "transfer-encoding": _chunked, ...given } = answer.headers;
  return { status: answer.statusCode ?? 502, headers: given, body: await bodyOf(answer) };
}

function send(reply: Reply, method: string, response: ServerResponse): void {
  const body = Buffer.from(reply.body ?? "");
  const { "content-length": length, ...headers } = reply.headers ?? {};
  // A HEAD's length is that of what it stands for.
  const size = length ?? (method === "HEAD" || reply.status === 204 ? undefined : String(body.byteLength));
  for (const [name, value] of Object.entries({ ...headers, "content-length": size })) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(reply.status);
  if (reply.cutAfter === undefined) {
    response.end(method === "HEAD" ? undefined : body);
    return;
  }
  response.write(body.subarray(0, reply.cutAfter), () => response.destroy());
  response.flushHeaders();
}

/** At most so many times, then no more. */
export function times(count: number, rule: Rule): Rule {
  let left = count;
  return async (request, pass) => {
    if (left <= 0) return undefined;
    const outcome = await rule(request, pass);
    if (outcome !== undefined) left -= 1;
    return outcome;
  };
}

/** Only for a method and a target; `*` is every method. */
export function at(method: string, target: RegExp, rule: Rule | Outcome): Rule {
  return (request, pass) => {
    if ((method !== "*" && request.method !== method) || !target.test(request.target)) return undefined;
    return typeof rule === "function" ? rule(request, pass) : rule;
  };
}

/** The server's answer with other headers; `undefined` takes one away. */
export function withHeaders(reply: Reply, headers: NonNullable<Reply["headers"]>): Reply {
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

/** An answer in JSON. */
export function jsonReply(status: number, value: unknown, headers: Reply["headers"] = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}

/** An error as registries answer it. */
export function refusal(status: number, code: string, headers: Reply["headers"] = {}): Reply {
  return jsonReply(status, { errors: [{ code, message: "told by the front" }] }, headers);
}
