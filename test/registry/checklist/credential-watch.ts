import type { Front, FrontRequest, Reply } from "../../support/front.ts";
import { login } from "./setups.ts";

/** Knows which credential was issued for which origin, and finds those that were seen elsewhere. */
export interface CredentialWatch {
  /** @param authorization - the whole header */
  issue(authorization: string, origin: string): void;
  /** What a token service gives out is for the registry that named it. */
  issueTokensOf(reply: Reply, origin: string): void;
  isIssued(authorization: string | undefined, origin: string): boolean;
  /** One line for each credential that was seen on an origin it was not issued for. */
  leaks(fronts: Iterable<Front>, tokenServices: ReadonlySet<string>): readonly string[];
  clear(): void;
}

export const basicLogin = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;

export function credentialWatch(): CredentialWatch {
  const issued = new Map<string, Set<string>>();
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
    leaks(fronts, tokenServices) {
      return [...fronts].flatMap((front) =>
        front.requests.flatMap((request) => [
          ...(request.authorization === undefined || isIssued(request.authorization, front.url)
            ? []
            : [`${place(front, request)} has ${request.authorization}`]),
          ...(hasPassword(request, tokenServices.has(front.url))
            ? [`${place(front, request)} has the password`]
            : []),
        ]),
      );
    },
    clear: () => issued.clear(),
  };
}

function place(front: Front, { method, path }: FrontRequest): string {
  return `${method} ${front.url}${path}`;
}

/** In a URL it has no place at all; in a form it is for the token service. */
function hasPassword({ target, body }: FrontRequest, isTokenService: boolean): boolean {
  const says = (text: string): boolean => /CANARY/.test(text);
  return says(target) || (!isTokenService && says(body.subarray(0, 4096).toString()));
}
