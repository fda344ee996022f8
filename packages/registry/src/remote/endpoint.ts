import { apiHost } from "../oci/reference.ts";
import { isLoopback } from "./address.ts";
import { drain, type HttpRequest, type TlsOptions, type Transport } from "./http.ts";
import { errorCodeOf } from "./network-failure.ts";
import { watched, type TimeLimits } from "./watchdog.ts";

/** What is special about one host. */
export interface HostOptions extends TlsOptions {
  /** Speak http to it. Default: only to this machine, and only if it does not speak TLS. */
  readonly plainHttp?: boolean;
  /** Sent with each request to this host itself, and nowhere else. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds to connect to it, TLS included. Default: the transport's, 30,000. */
  readonly connectTimeoutMs?: number;
}

/**
 * Finds the origin of a registry's API.
 *
 * Plain http is for hosts that were named, and for this machine. A loopback host is asked by TLS first, without anything
 * secret; only if it does not speak it, or nobody listens at 443, it is plain http. A certificate that is not trusted
 * stays an error.
 */
export async function findOrigin(
  registry: string,
  host: HostOptions,
  transport: Transport,
  limits: TimeLimits,
  signal: AbortSignal,
): Promise<string> {
  const name = apiHost(registry);
  if (host.plainHttp === true) return `http://${name}`;
  if (host.plainHttp === false || !isLoopback(name)) return `https://${name}`;
  try {
    const request = {
      method: "GET",
      url: `https://${name}/v2/`,
      headers: {},
      tls: tlsOptions(host),
      ...connectLimit(host),
      signal,
    };
    await drain(await watched(transport, request, limits));
    return `https://${name}`;
  } catch (error) {
    signal.throwIfAborted();
    const code = errorCodeOf(error) ?? "";
    const noTls = code === "EPROTO" || code.startsWith("ERR_SSL") || code === "ECONNRESET";
    return noTls || code === "ECONNREFUSED" ? `http://${name}` : `https://${name}`;
  }
}

export function tlsOptions(host: HostOptions): TlsOptions {
  const { plainHttp: _, headers: _headers, connectTimeoutMs: _connect, ...tls } = host;
  return tls;
}

export function connectLimit({ connectTimeoutMs }: HostOptions): Pick<HttpRequest, "connectTimeoutMs"> {
  return connectTimeoutMs === undefined ? {} : { connectTimeoutMs };
}
