import { z } from "zod";
import { readBody, type HttpResponse } from "./http.ts";
import { foreignText, redactUrl, urlWithoutSecrets } from "./redact.ts";
import { adviceForErrorCode } from "./retry-policy.ts";
import { isSpecCode, RegistryError, type RegistryErrorCode } from "./registry-error.ts";

/** What a request was about: decides what a bare 404 means. */
export type Subject = "blob" | "manifest" | "repository" | "upload" | "token";

const BODY_LIMIT = 64 * 1024;

const errorBody = z.object({
  errors: z
    .array(z.object({ code: z.string().catch("UNKNOWN"), message: z.string().catch("") }).loose())
    .min(1),
});

/** Makes an error of an answer that was not the one expected. Reads its body up to a limit, whatever type it says it has. */
export async function failureOf(
  response: HttpResponse,
  request: { readonly method: string; readonly url: string },
  subject: Subject,
  secrets: readonly string[] = [],
): Promise<RegistryError> {
  const bytes = await readBody(response, BODY_LIMIT).catch(() => undefined);
  const text = bytes === undefined ? "" : new TextDecoder().decode(bytes);
  const said = tellingError(errorBody.safeParse(parse(text)).data?.errors ?? []);
  const { status } = response;
  const url = urlWithoutSecrets(request.url, secrets);
  const code = said !== undefined && isSpecCode(said.code) ? said.code : codeOfStatus(status, subject);
  const saying = foreignText(said === undefined ? text : said.message, secrets);
  const host = URL.canParse(request.url) ? new URL(request.url).host : "";
  const hint = hintFor(code, status, host, `${said?.code ?? ""} ${saying}`);
  return new RegistryError(
    code,
    `${request.method} ${redactUrl(url)} was answered with ${status}${saying === "" ? "" : `: ${saying}`}`,
    { status, method: request.method, url, ...(hint === undefined ? {} : { hint }) },
  );
}

/**
 * Of several errors the one after which trying again may help, else the first. docker-registry says `DIGEST_INVALID` too where
 * it only misses a blob that somebody else is just finishing.
 */
function tellingError<T extends { readonly code: string }>(errors: readonly T[]): T | undefined {
  const passing = errors.find(({ code }) => ["once", "new-session"].includes(adviceForErrorCode(code)));
  return passing ?? errors[0];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a status says where the body has no code. */
export function codeOfStatus(status: number, subject: Subject): RegistryErrorCode {
  switch (status) {
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "DENIED";
    case 405:
    case 501:
      return "UNSUPPORTED";
    case 413:
      return "SIZE_INVALID";
    case 429:
      return "TOOMANYREQUESTS";
    case 404:
      return unknownCode(subject);
    default:
      return status >= 500 ? "UNAVAILABLE" : "REGISTRY_PROTOCOL";
  }
}

function unknownCode(subject: Subject): RegistryErrorCode {
  switch (subject) {
    case "blob":
      return "BLOB_UNKNOWN";
    case "manifest":
      return "MANIFEST_UNKNOWN";
    case "upload":
      return "BLOB_UPLOAD_UNKNOWN";
    case "repository":
    case "token":
      return "NAME_UNKNOWN";
  }
}

function hintFor(code: RegistryErrorCode, status: number, host: string, said: string): string | undefined {
  if (/immutable/i.test(said)) {
    return "The tag cannot be moved to other content: push under a new tag, or allow it in the repository's settings.";
  }
  if (status === 400 && /HTTP request to an HTTPS server/i.test(said)) {
    return "The registry speaks TLS: do not name it as a plain-http host.";
  }
  const hints: Partial<Record<RegistryErrorCode, string>> = {
    NAME_UNKNOWN: isPrivateEcr(host)
      ? "ECR makes no repository by itself: create it first (aws ecr create-repository)."
      : "Look at the repository's name; some registries want it to be created first.",
    UNAUTHORIZED: `Log in to ${host}, or check that the stored login may do this.`,
    DENIED: isPrivateEcr(host)
      ? "ECR logins last 12 hours: log in again, and check the policy of the role and of the repository."
      : `Check that the login for ${host} may do this; without a login, that the repository is public.`,
    TOOMANYREQUESTS: host.endsWith("ecr.aws")
      ? "public.ecr.aws allows one pull a second without a login, ten with one: log in or wait."
      : "Wait, or log in: registries allow more with a login.",
    MANIFEST_UNKNOWN: "Look at the tag or digest; the registry may have removed it.",
    SIZE_INVALID: "A proxy before the registry may limit the size of a request: raise it, or push in chunks.",
  };
  return hints[code];
}

function isPrivateEcr(host: string): boolean {
  return /^\d{12}\.dkr[.-]ecr/.test(host);
}
