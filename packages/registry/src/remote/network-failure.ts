import { ProxyError, proxyRefusedCode } from "./proxy-agent.ts";
import { privateAddressCode } from "./public-lookup.ts";
import { RegistryError, type RegistryErrorCode } from "./registry-error.ts";
import { adviceForSocketError } from "./retry-policy.ts";

/** Makes an error of what a transport rejected with, and tells whether it may pass. */
export function networkFailure(
  error: unknown,
  request: { readonly method: string; readonly url: string },
): { readonly failure: RegistryError; readonly repeatable: boolean } {
  if (error instanceof RegistryError) {
    return { failure: error, repeatable: adviceForSocketError(error.code) === "again" };
  }
  const socketCode = errorCodeOf(error);
  if (socketCode === undefined) throw error;
  const { host } = new URL(request.url);
  const { code, message, hint } =
    error instanceof ProxyError ? describeProxy(error, host) : describe(socketCode, host);
  const failure = new RegistryError(code, message, {
    method: request.method,
    url: request.url,
    // The cause's own message may hold the whole URL; its code is all there is to know.
    cause: new Error(socketCode),
    hint,
  });
  return { failure, repeatable: adviceForSocketError(socketCode) === "again" };
}

/** A Node error's code, or that of what it wraps. */
export function errorCodeOf(error: unknown): string | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if ("code" in current && typeof current.code === "string") return current.code;
    current = current.cause;
  }
  return undefined;
}

interface Description {
  readonly code: RegistryErrorCode;
  readonly message: string;
  readonly hint: string;
}

function describeProxy({ code, proxy }: ProxyError, host: string): Description {
  return {
    code: "REGISTRY_UNREACHABLE",
    message:
      code === proxyRefusedCode
        ? `The proxy ${proxy} does not let us through to ${host}.`
        : `The connection to the proxy ${proxy} on the way to ${host} could not be made or broke (${code}).`,
    hint: "Look at HTTPS_PROXY, HTTP_PROXY and the login there, or add the host to NO_PROXY.",
  };
}

function describe(socketCode: string, host: string): Description {
  if (isCertificateError(socketCode)) {
    return {
      code: "REGISTRY_UNTRUSTED",
      message: `The certificate of ${host} is not trusted (${socketCode}).`,
      hint: "Give the certificate of its authority: --registry-ca PATH, in code `ca`. Turn the check off only for a registry of your own.",
    };
  }
  if (socketCode === privateAddressCode) {
    return {
      code: "REDIRECT_REFUSED",
      message: `A public server sends us to ${host}, which is a private address.`,
      hint: "Nothing is sent there. Ask whoever runs the registry.",
    };
  }
  if (socketCode === "ENOTFOUND") {
    return {
      code: "REGISTRY_UNREACHABLE",
      message: `There is no host ${host}.`,
      hint: "Look at the host in the reference.",
    };
  }
  if (socketCode === "EPROTO" || socketCode.startsWith("ERR_SSL")) {
    return {
      code: "REGISTRY_UNREACHABLE",
      message: `${host} does not speak TLS.`,
      hint: `If it is meant to be on plain http, name it: --plain-http ${host}, in code hosts: { ${JSON.stringify(host)}: { plainHttp: true } }.`,
    };
  }
  if (socketCode === "HPE_HEADER_OVERFLOW") {
    return {
      code: "REGISTRY_PROTOCOL",
      message: `${host} answers with more than 64 KiB of headers.`,
      hint: "Ask whoever runs the registry.",
    };
  }
  return {
    code: "REGISTRY_UNREACHABLE",
    message: `The connection to ${host} could not be made or broke (${socketCode}).`,
    hint: "Check the network, and that the registry is up.",
  };
}

function isCertificateError(code: string): boolean {
  return (
    /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH|CRL_)/.test(
      code,
    ) || code === "INVALID_CA"
  );
}
