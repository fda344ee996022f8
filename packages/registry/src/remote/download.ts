import { UndockedError } from "../errors.ts";
import type { CallOptions } from "../store/store.ts";
import { isPrivateServer } from "./address.ts";
import type { RegistryEvent } from "./events.ts";
import type { HttpResponse, TlsOptions, Transport } from "./http.ts";
import { given } from "./known-options.ts";
import { describeRefusal } from "./location.ts";
import { networkFailure } from "./network-failure.ts";
import { redactUrl } from "./redact.ts";
import { isRedirect, planRedirect } from "./redirect.ts";
import { RegistryError } from "./registry-error.ts";
import { askPersistently } from "./repetition.ts";
import type { RetryOptions } from "./retry-policy.ts";
import { watched, type TimeLimits } from "./watchdog.ts";

/** A file of the web could not be had. */
export class DownloadError extends UndockedError<"DOWNLOAD_FAILED"> {}

/** How a file of the web is fetched. */
export interface DownloadOptions extends CallOptions {
  /** It is not closed. */
  readonly transport: Transport;
  /** How https is spoken, to every host on the way. */
  readonly tls?: TlsOptions;
  readonly limits?: Partial<TimeLimits>;
  readonly retry?: RetryOptions;
  /** Told of what is asked again. */
  readonly onEvent?: (event: RegistryEvent) => void;
  /** Bytes that are taken at most. Default 8 GiB. */
  readonly sizeLimit?: number;
}

/** A file of the web, of which the headers are here. */
export interface Download {
  /** `Last-Modified`, in seconds since 1970; absent where the server does not tell. */
  readonly modified?: number;
  /** As it lies there, once; throws where it ends before its time, or is too large. */
  readonly body: AsyncIterable<Uint8Array>;
}

const DEFAULT_SIZE_LIMIT = 8 * 1024 ** 3;
const defaultLimits: TimeLimits = { headersMs: 60_000, idleMs: 60_000 };

/**
 * Asks for a file by http or https, with no credentials whatever. Redirects are followed as a registry's are: not from https
 * to http, not from a public server to a private address. Tries again what may pass, until there are headers.
 *
 * @throws {DownloadError} `DOWNLOAD_FAILED`
 * @throws {RegistryError} `REDIRECT_REFUSED`, `REGISTRY_UNREACHABLE`, `REGISTRY_TIMEOUT`, `REGISTRY_UNTRUSTED`
 */
export async function fetchUrl(url: string, options: DownloadOptions): Promise<Download> {
  checkUrl(url);
  const { sizeLimit = DEFAULT_SIZE_LIMIT } = options;
  const response = await askPersistently({ method: "GET", url }, () => follow(url, options), options);
  if (response.status === 200) return downloadOf(url, response, sizeLimit);
  response.cancel();
  throw statusError(url, response.status);
}

function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "https:" && parsed?.protocol !== "http:")
    throw new DownloadError("DOWNLOAD_FAILED", `${redactUrl(url)} is no URL of http or https.`);
  if (parsed.username !== "" || parsed.password !== "") {
    throw new DownloadError(
      "DOWNLOAD_FAILED",
      `${redactUrl(url)} has a login in it, which would be in the image's history.`,
      {
        hint: "Fetch it before the build, and COPY the file.",
      },
    );
  }
}

function statusError(url: string, status: number): DownloadError {
  return new DownloadError("DOWNLOAD_FAILED", `GET ${redactUrl(url)} was answered with ${status}.`, {
    hint: "Look at the address; nothing that needs a login can be added by its URL.",
  });
}

async function follow(start: string, options: DownloadOptions): Promise<HttpResponse> {
  const { transport, tls, limits = {}, signal } = options;
  const visited = [start];
  let url = start;
  let publicOnly = false;
  for (;;) {
    const response = await watched(
      transport,
      {
        method: "GET",
        url,
        headers: { Accept: "*/*" },
        ...(tls === undefined || !url.startsWith("https:") ? {} : { tls }),
        ...(publicOnly ? { publicOnly } : {}),
        ...(signal === undefined ? {} : { signal }),
      },
      { ...defaultLimits, ...given(limits) },
    );
    if (!isRedirect(response.status)) return response;
    response.cancel();
    const location = response.headers.get("location");
    const { address } = response;
    const asked = { method: "GET", url, hasBody: false, address };
    const redirect = planRedirect(asked, response.status, location, visited);
    if (redirect.kind === "refused") {
      const { reason } = redirect;
      const why =
        reason === "loop" || reason === "body" ? "leads round in a circle" : describeRefusal(reason);
      throw new RegistryError("REDIRECT_REFUSED", `${redactUrl(url)} answers with a redirect that ${why}.`, {
        method: "GET",
        url,
        status: response.status,
      });
    }
    publicOnly ||= transport.heedsPublicOnly === true && !isPrivateServer(new URL(url), address);
    url = redirect.url;
    visited.push(url);
  }
}

function downloadOf(url: string, response: HttpResponse, sizeLimit: number): Download {
  const modified = Date.parse(response.headers.get("last-modified") ?? "");
  const announced = /^\d{1,15}$/.exec(response.headers.get("content-length") ?? "")?.[0];
  const size = announced === undefined ? undefined : Number(announced);
  if (size !== undefined && size > sizeLimit) {
    response.cancel();
    throw tooLarge(url, sizeLimit);
  }
  return {
    ...(Number.isNaN(modified) ? {} : { modified: Math.floor(modified / 1000) }),
    body: (async function* () {
      let have = 0;
      try {
        for await (const chunk of response.body) {
          have += chunk.byteLength;
          if (have > sizeLimit) throw tooLarge(url, sizeLimit);
          yield chunk;
        }
      } catch (error) {
        if (error instanceof DownloadError) throw error;
        throw networkFailure(error, { method: "GET", url }).failure;
      } finally {
        response.cancel();
      }
      if (size === undefined || have === size) return;
      throw new DownloadError("DOWNLOAD_FAILED", `${redactUrl(url)} ended after ${have} bytes of ${size}.`);
    })(),
  };
}

function tooLarge(url: string, limit: number): DownloadError {
  return new DownloadError("DOWNLOAD_FAILED", `${redactUrl(url)} has more than ${limit} bytes.`);
}
