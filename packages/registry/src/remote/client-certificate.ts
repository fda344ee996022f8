import { apiHost } from "../oci/reference.ts";
import { connectLimit, tlsOptions, type HostOptions } from "./endpoint.ts";
import { drain, type Transport } from "./http.ts";
import { errorCodeOf } from "./network-failure.ts";
import { watched, type TimeLimits } from "./watchdog.ts";

/** PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What a configuration file says of a host. */
export interface ConfiguredOptions extends HostOptions {
  /** One of these is the one that the host takes. */
  readonly clients?: readonly ClientCertificate[];
}

/** A host, where it is known to be. */
export interface CertificateTaker {
  readonly registry: string;
  readonly origin?: string;
}

/**
 * Chooses among several client certificates. Docker offers them all and TLS takes the one whose authority the server
 * names; Node sends one, and does not tell what the server named. So they are shown one after the other, with nothing
 * else, until one is taken.
 */
export async function withClientCertificate(
  { registry, origin = `https://${apiHost(registry)}` }: CertificateTaker,
  { clients = [], ...host }: ConfiguredOptions,
  transport: Transport,
  limits: TimeLimits,
  signal: AbortSignal,
): Promise<HostOptions> {
  const [first] = clients;
  if (first === undefined || host.cert !== undefined) return host;
  if (clients.length > 1 && origin.startsWith("https:")) {
    for (const client of clients) {
      const own = { ...host, ...client };
      const outcome = await shown(origin, own, transport, limits, signal);
      if (outcome === "taken") return own;
      if (outcome === "unreachable") break;
    }
  }
  return { ...host, ...first };
}

// nginx has the handshake succeed, and says with these that the certificate will not do.
const refusals: readonly number[] = [400, 495, 496];

async function shown(
  origin: string,
  host: HostOptions,
  transport: Transport,
  limits: TimeLimits,
  signal: AbortSignal,
): Promise<"taken" | "refused" | "unreachable"> {
  const request = {
    method: "GET",
    url: `${origin}/v2/`,
    headers: {},
    tls: tlsOptions(host),
    ...connectLimit(host),
    signal,
  };
  try {
    const response = await watched(transport, request, limits);
    await drain(response);
    return refusals.includes(response.status) ? "refused" : "taken";
  } catch (error) {
    signal.throwIfAborted();
    const code = errorCodeOf(error) ?? "";
    // A server may answer with TLS's alert, or with the end of the connection.
    const byTls = code.startsWith("ERR_SSL") || ["EPROTO", "ECONNRESET", "EPIPE"].includes(code);
    return byTls ? "refused" : "unreachable";
  }
}
