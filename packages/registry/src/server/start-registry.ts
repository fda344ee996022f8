import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { isIPv6, type AddressInfo } from "node:net";
import { registryServer, type RegistryServer, type RegistryServerOptions } from "./registry-server.ts";

/** Where the registry listens, besides what it is. */
export interface StartRegistryOptions extends RegistryServerOptions {
  /** Default: one that is free. */
  readonly port?: number;
  /** The address to listen on. Default: `127.0.0.1`, which only this machine reaches. */
  readonly host?: string;
  /** PEM of the certificate with its chain, and of its key. Default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A registry that listens. `await using` closes it. */
export interface RunningRegistry
  extends AsyncDisposable, Pick<RegistryServer, "requests" | "inject" | "openUploads"> {
  /** `http://127.0.0.1:34567` */
  readonly url: string;
  /** `127.0.0.1:34567`: what stands before the repository in a reference. */
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts a registry of the OCI distribution-spec, and resolves once it listens. */
export async function startRegistry(options: StartRegistryOptions = {}): Promise<RunningRegistry> {
  const { port = 0, host = "127.0.0.1", tls, ...rest } = options;
  const registry = await registryServer(rest);
  const listener = (...[request, response]: Parameters<RegistryServer["handle"]>): void => {
    void registry.handle(request, response);
  };
  const server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
  // A large blob may take as long as it takes; a connection on which nothing moves may not.
  server.requestTimeout = 0;
  server.setTimeout(10 * 60 * 1000);
  // Longer than clients keep theirs: who closes first causes no resets.
  server.keepAliveTimeout = 65 * 1000;
  const address = await listen(server, port, host);
  const authority = `${isIPv6(address.address) ? `[${address.address}]` : address.address}:${address.port}`;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeServer(server).then(() => registry.close());
    return closing;
  };
  return {
    url: `${tls === undefined ? "http" : "https"}://${authority}`,
    host: authority,
    port: address.port,
    requests: registry.requests,
    inject: (...faults) => registry.inject(...faults),
    openUploads: () => registry.openUploads(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("The server has no address."));
      else resolve(address);
    });
  });
}

/** Ends the connections that are open too: a client that keeps one alive would hold the server. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
