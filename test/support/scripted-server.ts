import type { IncomingMessage, ServerResponse } from "node:http";
import type { TlsOptions } from "node:tls";
import { nodeFetchTransport, type Transport } from "@undocked/registry";
import { localServer } from "./local-server.ts";
import type { Certificate } from "./tls.ts";

/** A request as a server saw it. */
export interface SeenRequest {
  /** `GET /v2/` */
  readonly line: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** As it came, with its query. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly authorization: string | undefined;
  /** All of the body. */
  readonly body: () => Promise<Buffer>;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly host: string;
  readonly url: string;
  readonly requests: SeenRequest[];
  /** `GET /v2/` of each, without queries. */
  lines(): readonly string[];
}

export type Script = (request: SeenRequest, response: ServerResponse) => void | Promise<void>;

/** A server on a free port of this machine that does as it is told, and keeps what it was asked. */
export async function scriptedServer(
  script: Script,
  tls?: Certificate & Pick<TlsOptions, "ca" | "requestCert">,
): Promise<ScriptedServer> {
  const requests: SeenRequest[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const target = request.url ?? "/";
    const [path = "/", query = ""] = target.split("?", 2);
    const method = request.method ?? "";
    const seen: SeenRequest = {
      line: `${method} ${path}`,
      method,
      path,
      query: new URLSearchParams(query),
      target,
      headers: request.headers,
      authorization: request.headers.authorization,
      body: async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks);
      },
    };
    requests.push(seen);
    request.on("error", () => undefined);
    Promise.resolve(script(seen, response)).catch(() => response.destroy());
  };
  const server = await localServer(listener, { tls });
  return {
    host: server.host,
    url: server.url,
    requests,
    lines: () => requests.map(({ line }) => line),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Answers with JSON. */
export function json(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

/** Answers without a body. */
export function empty(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Length": 0, ...headers });
  response.end();
}

/**
 * A transport to which real names are names of servers on this machine; what has no name is not reachable.
 *
 * @param address - of all of them, as far as it is told
 */
export function namedServers(
  names: Readonly<Record<string, ScriptedServer>>,
  address = "203.0.113.7",
): Transport {
  const transport = nodeFetchTransport();
  return async (request) => {
    const { origin } = new URL(request.url);
    const server = names[origin];
    if (server === undefined) throw Object.assign(new Error(`no ${origin}`), { code: "ENOTFOUND" });
    return { ...(await transport({ ...request, url: request.url.replace(origin, server.url) })), address };
  };
}
