import { homedir } from "node:os";
import { z } from "zod";
import { findAwsKey, type AwsKeyOptions } from "../auth/aws-key.ts";
import { signAwsRequest } from "../auth/aws-signature.ts";
import { credentialOf } from "../auth/config-file.ts";
import type { Credential, CredentialSource } from "../auth/credential.ts";
import { ecrApiHost, parseEcrHost, type EcrHost } from "../auth/ecr-host.ts";
import { readTextFile } from "../auth/stored-credentials.ts";
import { failureOf } from "./failure.ts";
import { readBody, type Transport } from "./http.ts";
import { networkFailure } from "./network-failure.ts";
import { RegistryError } from "./registry-error.ts";
import { watched, type TimeLimits } from "./watchdog.ts";

export interface EcrCredentialsOptions extends Partial<AwsKeyOptions> {
  readonly transport: Transport;
  readonly limits: TimeLimits;
  readonly now: () => number;
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
  const underWay = new Map<string, Promise<Login | undefined>>();
  return async ({ registry }) => {
    const host = parseEcrHost(registry);
    if (host === undefined) return undefined;
    const known = held.get(registry);
    if (known !== undefined && known.expiresAt - options.now() > MARGIN_MS) return known.credential;
    const request = underWay.get(registry) ?? logIn(host, options).finally(() => underWay.delete(registry));
    underWay.set(registry, request);
    const got = await request;
    if (got !== undefined) held.set(registry, got);
    return got?.credential;
  };
}

interface Login {
  readonly credential: Credential;
  readonly expiresAt: number;
}

async function logIn(host: EcrHost, options: EcrCredentialsOptions): Promise<Login | undefined> {
  const key = await findAwsKey({
    environment: options.environment ?? process.env,
    home: options.home ?? homedir(),
    readFile: options.readFile ?? readTextFile,
  });
  if (key === undefined) return undefined;
  const api = ecrApiHost(host);
  const body = JSON.stringify({ registryIds: [host.account] });
  const headers = signAwsRequest(
    {
      method: "POST",
      host: api,
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
    options.now(),
  );
  const request = { method: "POST", url: `https://${api}/`, headers, body: Buffer.from(body) };
  const response = await watched(options.transport, request, options.limits).catch((error: unknown) => {
    throw networkFailure(error, request).failure;
  });
  if (response.status !== 200) {
    const secrets = [key.secretAccessKey, key.sessionToken ?? "", key.accessKeyId];
    throw await failureOf(response, request, "token", secrets);
  }
  const bytes = await readBody(response, ANSWER_LIMIT);
  const [data] = answer.safeParse(parse(bytes)).data?.authorizationData ?? [];
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

function parse(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
  } catch {
    return undefined;
  }
}
