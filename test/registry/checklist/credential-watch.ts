import type { FrontRequest, Reply } from "../../support/front.ts";
import { login } from "./setups.ts";

/** Knows which credential was issued for which origin, and notes those that are seen elsewhere. */
export interface CredentialWatch {
  /** @param authorization - the whole header */
  issue(authorization: string, origin: string): void;
  /** What a token service gives out is for the registry that named it. */
  issueTokensOf(reply: Reply, origin: string): void;
  isIssued(authorization: string | undefined, origin: string): boolean;
  /** @param takes - whether a password may stand in a body there */
  see(request: FrontRequest, origin: string, takes: "passwords" | "no passwords"): void;
  /** One line for each credential that was seen where it does not belong. */
  readonly leaks: readonly string[];
  clear(): void;
}

export const basicLogin: string = basicHeader(login.username, login.password);

export function basicHeader(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

export function credentialWatch(): CredentialWatch {
  const issued = new Map<string, Set<string>>();
  const leaks: string[] = [];
  const issue = (authorization: string, origin: string): void => {
    const origins = issued.get(authorization) ?? new Set();
    issued.set(authorization, origins.add(origin));
  };
  const isIssued = (authorization: string | undefined, origin: string): boolean =>
    authorization !== undefined && issued.get(authorization)?.has(origin) === true;
  return {
    issue,
    issueTokensOf(reply, origin) {
      if (reply.status !== 200) return;
      const { token, access_token: accessToken } = JSON.parse(String(reply.body)) as Record<string, unknown>;
      for (const it of [token, accessToken]) if (typeof it === "string") issue(`Bearer ${it}`, origin);
    },
    isIssued,
    see({ method, path, target, authorization, body }, origin, takes) {
      const place = `${method} ${origin}${path}`;
      if (authorization !== undefined && !isIssued(authorization, origin))
        leaks.push(`${place} has ${authorization}`);
      // In a URL a password has no place at all; in a form it is for the token service.
      const inBody = takes === "no passwords" && hasPassword(body.subarray(0, 4096).toString());
      if (inBody || hasPassword(target)) leaks.push(`${place} has the password`);
    },
    leaks,
    clear() {
      issued.clear();
      leaks.length = 0;
    },
  };
}

function hasPassword(text: string): boolean {
  return text.includes("CANARY");
}
