import { z } from "zod";
import { findAwsKey, type AwsKeyOptions } from "../auth/aws-key.ts";
import { signAwsRequest, type AwsKey } from "../auth/aws-signature.ts";
import { credentialOf } from "../auth/config-file.ts";
import type { Credential, CredentialSource } from "../auth/credential.ts";
import { ecrApiHost, parseEcrHost, type EcrHost } from "../auth/ecr-host.ts";
import { userHome } from "../files/home.ts";
import { readTextFile } from "../auth/stored-credentials.ts";
import type { RegistryEvent } from "./events.ts";
import { failureOf } from "./failure.ts";
import { withBody, type HttpRequest, type Transport } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import { askPersistently } from "./repetition.ts";
import type { RetryOptions } from "./retry-policy.ts";
import { sharedRequests } from "./shared-requests.ts";
import { watched, type TimeLimits } from "./watchdog.ts";

export interface EcrCredentialsOptions extends Partial<AwsKeyOptions> {
  readonly transport: Transport;
  readonly limits: TimeLimits;
  readonly now: () => number;
  readonly retry?: RetryOptions;
  /** Told of what is asked again. */
  readonly onEvent?: (event: RegistryEvent) => void;
}

const answer = z.object({
  authorizationData: z.array(z.object({ authorizationToken: z.string(), expiresAt: z.number() })).min(1),
});
const ANSWER_LIMIT = 64 * 1024;
const MARGIN_MS = 300_000;

/**
 * Logins for private ECR registries, got with the AWS key of the environment or of the profile: one signed
 * GetAuthorizationToken for a registry, valid for 12 hours. Other hosts and machines without a key have none.
 */
export function ecrCredentials(options: EcrCredentialsOptions): CredentialSource {
  const held = new Map<string, Login>();
  const share = sharedRequests<Login | undefined>();
  return async ({ registry }, { signal } = {}) => {
    const host = parseEcrHost(registry);
    if (host === undefined) return undefined;
    const known = held.get(registry);
    if (known !== undefined && known.expiresAt - options.now() > MARGIN_MS) return known.credential;
    const got = await share(registry, signal, async (stop) => await logIn(host, options, stop));
    if (got !== undefined) held.set(registry, got);
    return got?.credential;
  };
}

interface Login {
  readonly credential: Credential;
  readonly expiresAt: number;
}

async function logIn(
  host: EcrHost,
  options: EcrCredentialsOptions,
  signal: AbortSignal,
): Promise<Login | undefined> {
  const key = await findAwsKey({
    environment: options.environment ?? process.env,
    home: options.home ?? userHome(),
    readFile: options.readFile ?? readTextFile,
  });
  if (key === undefined) return undefined;
  const api = ecrApiHost(host);
  const request = { method: "POST", url: `https://${api}/` };
  const response = await askPersistently(
    request,
    async () => {
      // Signed anew: a signature is of its minute.
      const question = { ...request, ...signedQuestion(host, key, options.now()), signal };
      return await withBody(await watched(options.transport, question, options.limits), ANSWER_LIMIT);
    },
    { ...options, signal },
  );
  if (response.status !== 200) {
    const secrets = [key.secretAccessKey, key.sessionToken ?? "", key.accessKeyId];
    throw await failureOf(response, request, "token", secrets);
  }
  const [data] = answer.safeParse(parse(response.bytes)).data?.authorizationData ?? [];
  const credential = data === undefined ? undefined : credentialOf({ auth: data.authorizationToken });
  if (data === undefined || credential === undefined) {
    throw new RegistryError("TOKEN_INVALID", `The answer of ${api} has no login in it.`, {
      method: "POST",
      url: request.url,
      status: response.status,
    });
  }
  return { credential, expiresAt: data.expiresAt * 1000 };
}

function signedQuestion(
  host: EcrHost,
  key: AwsKey,
  now: number,
): Pick<HttpRequest, "headers"> & { readonly body: Uint8Array } {
  const body = JSON.stringify({ registryIds: [host.account] });
  const headers = signAwsRequest(
    {
      method: "POST",
      host: ecrApiHost(host),
      path: "/",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
      },
      body,
    },
    key,
    host.region,
    "ecr",
    now,
  );
  return { headers, body: Buffer.from(body) };
}

function parse(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
  } catch {
    return undefined;
  }
}
