import { z } from "zod";
import { basicAuthorization, type Credential } from "./credential.ts";

/** What a token server is asked. */
export interface TokenRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly authorization?: string;
  /** An `application/x-www-form-urlencoded` body. */
  readonly form?: string;
  /** Statuses that mean that the server has no such exchange: the next is tried. */
  readonly unlessStatus: readonly number[];
}

export interface Token {
  readonly token: string;
  readonly lifetimeSeconds: number;
  /** Replaces the identity token, in memory only. */
  readonly refreshToken?: string;
}

export interface TokenQuestion {
  /** Checked already. */
  readonly realm: string;
  readonly service?: string;
  readonly scopes: readonly string[];
  readonly credential?: Credential;
}

/** Bytes of a token server's answer that are read at most. */
export const tokenAnswerLimit: number = 128 * 1024;

const CLIENT_ID = "undocked";
// distribution's token specification: what holds where the answer does not say, and the least there is.
const LEAST_LIFETIME = 60;

/**
 * The exchanges to try, in turn: an identity token goes by OAuth2's POST, and where a server has none, by GET. A password goes
 * by GET, and where a server has only OAuth2's POST, by that.
 */
export function planTokenRequests(question: TokenQuestion): readonly TokenRequest[] {
  const { identityToken, username = "", password = "" } = question.credential ?? {};
  const byPassword =
    username === "" || password === "" ? [] : [passwordRequest(question, username, password)];
  return identityToken === undefined
    ? [getRequest(question), ...byPassword]
    : [refreshRequest(question, identityToken), getRequest(question), ...byPassword];
}

const NO_SUCH_EXCHANGE: readonly number[] = [404, 405];

function getRequest({ realm, service, scopes, credential }: TokenQuestion): TokenRequest {
  const { username = "", password = "" } = credential ?? {};
  // A user without a password stands beside an identity token and proves nothing.
  const known = username !== "" && password !== "";
  const query = form([
    ...(known ? [["account", username] as const] : []),
    ...(service === undefined ? [] : [["service", service] as const]),
    ...scopes.map((scope) => ["scope", scope] as const),
  ]);
  const url = query === "" ? realm : `${realm}${realm.includes("?") ? "&" : "?"}${query}`;
  return {
    method: "GET",
    url,
    ...(known ? { authorization: basicAuthorization(username, password) } : {}),
    unlessStatus: NO_SUCH_EXCHANGE,
  };
}

function refreshRequest(question: TokenQuestion, identityToken: string): TokenRequest {
  const hasPassword = (question.credential?.password ?? "") !== "";
  return {
    ...postRequest(question, [
      ["grant_type", "refresh_token"],
      ["refresh_token", identityToken],
    ]),
    // Azure and Artifactory say so too, of a token that they do not take where a password would do.
    unlessStatus: hasPassword ? [...NO_SUCH_EXCHANGE, 400, 401] : NO_SUCH_EXCHANGE,
  };
}

function passwordRequest(question: TokenQuestion, username: string, password: string): TokenRequest {
  return postRequest(question, [
    ["grant_type", "password"],
    ["username", username],
    ["password", password],
  ]);
}

type Field = readonly [name: string, value: string];

function postRequest({ realm, service, scopes }: TokenQuestion, proof: readonly Field[]): TokenRequest {
  return {
    method: "POST",
    url: realm,
    form: form([
      ...proof,
      ...(service === undefined ? [] : [["service", service] as const]),
      ["client_id", CLIENT_ID],
      ...(scopes.length === 0 ? [] : [["scope", scopes.join(" ")] as const]),
    ]),
    unlessStatus: NO_SUCH_EXCHANGE,
  };
}

function form(fields: readonly Field[]): string {
  return new URLSearchParams([...fields].map(([name, value]): [string, string] => [name, value])).toString();
}

const answer = z.object({
  token: z.string().optional().catch(undefined),
  access_token: z.string().optional().catch(undefined),
  refresh_token: z.string().optional().catch(undefined),
  expires_in: z.number().optional().catch(undefined),
});

/** @returns `"none"` for an answer without a token, `"malformed"` for one that is no answer */
export function readToken(bytes: Uint8Array): Token | "none" | "malformed" {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return "malformed";
  }
  const { success, data } = answer.safeParse(json);
  if (!success) return "malformed";
  const token = [data.token, data.access_token].find((value) => value !== undefined && value !== "");
  if (token === undefined) return "none";
  // It goes into a header as it is.
  if (!/^[\x21-\x7e]+$/.test(token)) return "malformed";
  const { expires_in: seconds = 0, refresh_token: refreshToken } = data;
  const lifetimeSeconds = Number.isFinite(seconds) ? Math.max(seconds, LEAST_LIFETIME) : LEAST_LIFETIME;
  return {
    token,
    lifetimeSeconds,
    ...(refreshToken === undefined || refreshToken === "" ? {} : { refreshToken }),
  };
}
