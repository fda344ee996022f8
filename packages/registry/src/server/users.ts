import { createHash, timingSafeEqual } from "node:crypto";
import { Refusal } from "./reply.ts";

/** Names and their passwords. */
export type Users = Readonly<Record<string, string>>;

/** Whom a registry serves. Every user may do everything. */
export type RegistryAuth = BasicAuth | BearerAuth;

/** Name and password with every request (RFC 7617). */
export interface BasicAuth {
  readonly type: "basic";
  readonly users: Users;
}

/** Tokens, which the registry gives out itself at `/token` (distribution's token authentication). */
export interface BearerAuth {
  readonly type: "bearer";
  readonly users?: Users;
  /** What those without a name may do. Default: nothing. */
  readonly anonymous?: "pull" | "nothing";
  /** Seconds that a token lasts. Default: 300. */
  readonly expiresIn?: number;
  /** Default: `/token` here. */
  readonly realm?: string;
  /** Default: the host that the client asked. */
  readonly service?: string;
}

/** The name that Basic credentials are right for. */
export function userOf(authorization: string | undefined, users: Users): string | undefined {
  const [, encoded] = /^basic +(\S+) *$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : userWith(text.slice(0, colon), text.slice(colon + 1), users);
}

export function userWith(name: string, password: string, users: Users): string | undefined {
  const expected = Object.hasOwn(users, name) ? users[name] : undefined;
  return expected !== undefined && isEqual(expected, password) ? name : undefined;
}

/** Takes as long for a guess that is nearly right. */
function isEqual(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

export function unauthorized(challenge: string): Refusal {
  return new Refusal(401, "UNAUTHORIZED", "Authentication is required, or it is not sufficient.", {
    headers: { "www-authenticate": challenge },
  });
}
