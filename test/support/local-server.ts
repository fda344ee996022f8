import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import type { Certificate } from "./tls.ts";

export interface LocalServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
}

export interface LocalServerOptions {
  /** Absent: plain http. */
  readonly tls?: (Certificate & Pick<TlsOptions, "ca" | "requestCert">) | undefined;
  readonly keepAliveMs?: number;
}

/** A server on a free port of loopback, which ends with all of its connections. */
export async function localServer(
  listener: RequestListener,
  { tls, keepAliveMs }: LocalServerOptions = {},
): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  const server = tls === undefined ? createServer(listener) : createTlsServer({ ...tls }, listener);
  if (keepAliveMs !== undefined) server.keepAliveTimeout = keepAliveMs;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `${tls === undefined ? "http" : "https"}://${host}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
