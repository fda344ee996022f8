import { request as httpRequest, type Agent as HttpAgent, type ClientRequest } from "node:http";
import { request as httpsRequest, type Agent as HttpsAgent } from "node:https";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

/** The code of the error of a proxy that does not let us through. */
export const proxyRefusedCode = "EPROXYREFUSED";

/** Between us and a proxy, and not between it and the registry, something went wrong. */
export class ProxyError extends Error {
  /** Of the socket, or {@link proxyRefusedCode}. */
  readonly code: string;
  /** `host[:port]`, without its login. */
  readonly proxy: string;

  constructor(code: string, proxy: URL) {
    super(`The proxy ${proxy.host}: ${code}`);
    this.code = code;
    this.proxy = proxy.host;
  }
}

// node-fetch keeps an error's code, and nothing else of it.
const tunnelMark = "EPROXYTUNNEL ";

/** Finds out by its code whether an error of a request by a proxy is about the proxy. */
export function asProxyError(code: string, url: string, proxy: URL): ProxyError | undefined {
  if (code.startsWith(tunnelMark)) return new ProxyError(code.slice(tunnelMark.length), proxy);
  // In plain http the only connection is that to the proxy; a parser's error is about the answer.
  return url.startsWith("https:") || code.startsWith("HPE_") ? undefined : new ProxyError(code, proxy);
}

type Connected = (error: Error | null, socket?: Socket) => void;
interface Target {
  readonly host?: string | null;
  readonly port?: number | string | null;
}

/** What Node's agents call for a new connection; its types have no form with a callback. */
interface Connecting {
  createConnection(options: ConnectionOptions & Target, connected: Connected): undefined;
}

/** Makes an https agent reach its servers through a proxy's tunnel (CONNECT), in which TLS is spoken with the server itself. */
export function tunnelled(agent: HttpsAgent, proxy: URL): HttpsAgent {
  const connecting: Connecting = {
    createConnection(options, connected) {
      const host = String(options.host);
      const target = `${host.includes(":") ? `[${host}]` : host}:${String(options.port ?? 443)}`;
      openTunnel(proxy, target, (error, socket) => {
        if (error !== null || socket === undefined) connected(error ?? new Error("no tunnel"));
        else connected(null, connectTls({ ...options, socket }));
      });
      return undefined;
    },
  };
  return Object.assign(agent, connecting);
}

function openTunnel(proxy: URL, target: string, connected: Connected): void {
  const send = proxy.protocol === "https:" ? httpsRequest : httpRequest;
  const request = send({
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port === "" ? (proxy.protocol === "https:" ? 443 : 80) : proxy.port,
    method: "CONNECT",
    path: target,
    headers: { Host: target, ...proxyAuthorization(proxy) },
    agent: false,
  });
  const fail = (code: string): void => {
    const error: NodeJS.ErrnoException = new Error("There is no tunnel through the proxy.");
    error.code = `${tunnelMark}${code}`;
    connected(error);
  };
  const limit = setTimeout(() => {
    request.destroy(Object.assign(new Error("The proxy is silent."), { code: "ETIMEDOUT" }));
  }, TUNNEL_LIMIT_MS);
  request.once("connect", (response, socket) => {
    clearTimeout(limit);
    if (response.statusCode === 200) {
      connected(null, socket);
      return;
    }
    socket.destroy();
    fail(proxyRefusedCode);
  });
  request.once("error", (error: NodeJS.ErrnoException) => {
    clearTimeout(limit);
    fail(error.code ?? "ECONNRESET");
  });
  request.end();
}

const TUNNEL_LIMIT_MS = 30_000;

/** Makes an http agent send its requests to a proxy, with the whole URL in the request line (RFC 9112, 3.2.2). */
export function forwarded(agent: HttpAgent, proxy: URL): HttpAgent {
  const connecting = {
    createConnection: (): Socket => {
      const host = proxy.hostname.replace(/^\[|\]$/g, "");
      const secure = proxy.protocol === "https:";
      const port = proxy.port === "" ? (secure ? 443 : 80) : Number(proxy.port);
      return secure ? connectTls({ host, port, servername: host }) : connectPlain({ host, port });
    },
  };
  return Object.assign(agent, connecting);
}

/** What {@link forwarded} needs of each request. */
export function addressToProxy(request: ClientRequest, proxy: URL): void {
  request.path = `http://${String(request.getHeader("host"))}${request.path}`;
  for (const [name, value] of Object.entries(proxyAuthorization(proxy))) request.setHeader(name, value);
}

function proxyAuthorization(proxy: URL): Readonly<Record<string, string>> {
  if (proxy.username === "") return {};
  const user = Buffer.concat([decoded(proxy.username), Buffer.from(":"), decoded(proxy.password)]);
  return { "Proxy-Authorization": `Basic ${user.toString("base64")}` };
}

/** A URL's user or password, which is ASCII there; a `%` that encodes nothing is one. */
function decoded(text: string): Buffer {
  const bytes = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1");
}
