import type { Descriptor } from "../oci/descriptor.ts";
import { isForeignLayerType } from "../oci/media-type.ts";
import type { CallOptions } from "../store/store.ts";
import { readBlob } from "./blob.ts";
import type { RepositoryContext } from "./context.ts";
import { describeRefusal, judgeLocation } from "./location.ts";
import { redactUrl } from "./redact.ts";
import { RegistryError } from "./registry-error.ts";

// A manifest is somebody else's word, and each URL is a request.
const URLS_LIMIT = 8;

/** Whether a layer's bytes are meant to lie at URLs of their own (image-spec, "Non-Distributable Layers"). */
export function hasOwnUrls({ mediaType, urls = [] }: Descriptor): boolean {
  return isForeignLayerType(mediaType) && urls.length > 0;
}

/**
 * A layer's bytes from the registry, which may have them nevertheless, else from the layer's own URLs, one after the other.
 * Not verified.
 *
 * Those URLs get no credentials, whatever they ask for (CVE-2020-15157), and are judged as a `Location` of the registry is: from
 * one that is not private, none leads to a private address.
 *
 * @param fromRegistry - ends with a 404 where the registry does not have them
 */
export async function* foreignContent(
  context: RepositoryContext,
  target: Descriptor,
  fromRegistry: AsyncIterable<Uint8Array>,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const sources = [
    (_have: number) => fromRegistry,
    ...(target.urls ?? [])
      .slice(0, URLS_LIMIT)
      .map((url) => (have: number) => readBlob(context, target, options, have, allowed(context, url))),
  ];
  let have = 0;
  let failure: RegistryError | undefined;
  for (const open of sources) {
    try {
      for await (const chunk of open(have)) {
        have += chunk.byteLength;
        yield chunk;
      }
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
      // Another failure of the registry itself is not for somebody else to make good.
      if (failure === undefined && error.status !== 404) throw error;
      failure = withoutLogin(error);
    }
  }
  if (failure !== undefined) throw failure;
}

/** There is a login that might do, and it does not go there. */
function withoutLogin(error: RegistryError): RegistryError {
  const { code, message, status, method, url } = error;
  if (status !== 401 && status !== 403) return error;
  return new RegistryError(code, message, {
    status,
    ...(method === undefined ? {} : { method }),
    ...(url === undefined ? {} : { url }),
    hint: "No login is sent to a layer's own URLs: ask the image's publisher.",
  });
}

function allowed({ line }: RepositoryContext, url: string): string {
  const judged = URL.canParse(url) ? judgeLocation(line.origin, url, line.answerer()) : undefined;
  if (judged?.kind === "allowed") return judged.url;
  throw new RegistryError(
    "REDIRECT_REFUSED",
    `The layer lies at a URL that ${describeRefusal(judged?.reason ?? "malformed")}.`,
    { method: "GET", url: redactUrl(url) },
  );
}
