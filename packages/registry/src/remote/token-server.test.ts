import { describe, expect, test } from "vitest";
import { readCorpus } from "../../../../test/support/corpus.ts";
import type { Credential } from "../auth/credential.ts";
import { authorizer } from "./authorizer.ts";
import type { HttpRequest, Transport } from "./http.ts";
import { fetchToken } from "./token-server.ts";

interface Case {
  readonly name: string;
  readonly challenge: { realm: string; service?: string; scope?: string };
  readonly requestUrl?: string;
  readonly scopes: readonly string[];
  readonly credential: Credential | null;
  readonly expectRequests: readonly {
    method: string;
    url: string;
    authorization?: string | null;
    form?: string;
    contentType?: string;
  }[];
  readonly responses: readonly { status: number; json?: unknown; text?: string; bytes?: number }[];
  readonly result: {
    token?: string;
    lifetimeSeconds?: number | null;
    refreshToken?: string;
    error?: string;
    mustNotContain?: readonly string[];
  };
}

const { tokenExchange } = readCorpus<{ tokenExchange: readonly Case[] }>("registry/scopes-and-tokens.json");

const codes: Readonly<Record<string, string>> = {
  AUTH_FAILED: "UNAUTHORIZED",
  NO_TOKEN: "TOKEN_INVALID",
  BAD_TOKEN_RESPONSE: "TOKEN_INVALID",
  TOO_LARGE: "TOKEN_INVALID",
};

/** Plays the recorded answers and keeps what was asked. */
function recorded(responses: Case["responses"]): {
  readonly transport: Transport;
  readonly asked: HttpRequest[];
} {
  const asked: HttpRequest[] = [];
  const transport: Transport = async (request) => {
    const answer = responses[asked.length];
    asked.push(request);
    if (answer === undefined) throw new Error("one request too many");
    const text = answer.text ?? (answer.json === undefined ? "" : JSON.stringify(answer.json));
    return {
      status: answer.status,
      headers: { get: () => null },
      body: (async function* () {
        yield Buffer.from(answer.bytes === undefined ? text : "x".repeat(answer.bytes));
      })(),
      cancel: () => undefined,
    };
  };
  return { transport, asked };
}

describe(`${tokenExchange.length} token exchanges`, () => {
  test.each(tokenExchange.map((it) => [it.name, it] as const))("%s", async (_, it) => {
    const { transport, asked } = recorded(it.responses);
    let lifetime: number | undefined;
    let refreshToken: string | undefined;
    const authority = authorizer({
      registry: "reg.example",
      credentials: async () => it.credential ?? undefined,
      fetchToken: async (realm, service, scopes, credential, signal) => {
        const server = {
          transport,
          tlsOf: () => undefined,
          publicOnly: () => false,
          limits: { headersMs: 10_000, idleMs: 10_000 },
          retry: { retries: 0 },
          now: Date.now,
        };
        const token = await fetchToken(server, realm, service, scopes, credential, signal);
        lifetime = token.lifetimeSeconds;
        ({ refreshToken } = token);
        return token;
      },
      onEvent: () => undefined,
      now: Date.now,
    });
    const parameters = Object.entries(it.challenge).map(([name, value]) => `${name}="${value}"`);
    const permission = { repository: "a", scopes: it.scopes };
    const outcome = await authority
      .refused(
        {
          url: it.requestUrl ?? "https://reg.example/v2/a/manifests/x",
          wwwAuthenticate: `Bearer ${parameters.join(",")}`,
          used: undefined,
          permission,
        },
        undefined,
      )
      .then(() => authority.header(permission, undefined))
      .catch((error: unknown) => error);

    expect(
      asked.map(({ method, url, headers, body }) => ({
        method,
        url,
        authorization: headers["Authorization"] ?? null,
        ...(body === undefined
          ? {}
          : { form: Buffer.isBuffer(body) ? body.toString() : "", contentType: headers["Content-Type"] }),
      })),
    ).toEqual(
      // What identifies the client is its own choice.
      it.expectRequests.map((request) => ({
        ...request,
        ...(request.form === undefined ? {} : { form: request.form.replace("CLIENT", "undocked") }),
      })),
    );
    if (it.result.error !== undefined) {
      expect(outcome).toMatchObject({ code: codes[it.result.error] });
      for (const secret of it.result.mustNotContain ?? []) {
        expect(`${String(outcome)} ${JSON.stringify(outcome)}`).not.toContain(secret);
      }
      return;
    }
    expect(outcome).toBe(`Bearer ${it.result.token}`);
    expect(lifetime ?? null).toBe(it.result.lifetimeSeconds);
    expect(refreshToken).toBe(it.result.refreshToken);
  });
});
