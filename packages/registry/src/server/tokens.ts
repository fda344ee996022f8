import { randomBytes } from "node:crypto";
import { parseScopes, type Access } from "./access.ts";
import { methodNotAllowed, readBody, type Call } from "./call.ts";
import { jsonReply, Refusal, type Reply } from "./reply.ts";
import { unauthorized, userOf, userWith, type BearerAuth } from "./users.ts";

/** Gives tokens out and knows what they are good for. */
export interface TokenServer {
  answer(call: Call): Promise<Reply>;
  /** `undefined`: the token is not known, or no longer good. */
  accessOf(token: string): readonly Access[] | undefined;
}

interface Grant {
  readonly access: readonly Access[];
  readonly expires: number;
}

/** What a token request says, by GET with Basic or by OAuth2's POST. */
interface TokenRequest {
  /** `undefined`: nobody. */
  readonly user: string | undefined;
  readonly scopes: readonly Access[];
  /** Whether a refresh token is asked for too. */
  readonly offline: boolean;
}

/** Tokens that are kept; the oldest goes first. */
const TOKEN_LIMIT = 10_000;

export function tokenServer(auth: BearerAuth): TokenServer {
  const { users = {}, anonymous = "nothing", expiresIn = 300 } = auth;
  const grants = new Map<string, Grant>();
  const refreshTokens = new Map<string, string>();

  const readRequest = async (call: Call): Promise<TokenRequest> => {
    if (call.method === "GET") {
      const { authorization } = call.headers;
      const user = userOf(authorization, users);
      if (authorization !== undefined && user === undefined) throw unauthorized('Basic realm="token"');
      return {
        user,
        scopes: parseScopes(call.query.getAll("scope")),
        offline: call.query.get("offline_token") === "true",
      };
    }
    if (call.method !== "POST") throw methodNotAllowed(call, "GET", "POST");
    const form = new URLSearchParams(Buffer.from(await readBody(call, 64 * 1024)).toString("utf8"));
    const user =
      form.get("grant_type") === "refresh_token"
        ? refreshTokens.get(form.get("refresh_token") ?? "")
        : userWith(form.get("username") ?? "", form.get("password") ?? "", users);
    if (user === undefined) throw new Refusal(401, "UNAUTHORIZED", "The credentials are not right.");
    return {
      user,
      scopes: parseScopes(form.getAll("scope")),
      offline: form.get("access_type") === "offline",
    };
  };

  return {
    async answer(call) {
      const { user, scopes, offline } = await readRequest(call);
      const token = randomToken();
      const access = user === undefined ? scopes.map((scope) => lessened(scope, anonymous)) : scopes;
      keep(grants, token, { access, expires: Date.now() + expiresIn * 1000 });
      const refresh = offline && user !== undefined ? randomToken() : undefined;
      if (refresh !== undefined && user !== undefined) keep(refreshTokens, refresh, user);
      return jsonReply(200, {
        token,
        access_token: token,
        expires_in: expiresIn,
        issued_at: new Date().toISOString(),
        ...(refresh === undefined ? {} : { refresh_token: refresh }),
      });
    },
    accessOf(token) {
      const grant = grants.get(token);
      return grant === undefined || grant.expires <= Date.now() ? undefined : grant.access;
    },
  };
}

function lessened({ name, actions }: Access, to: "pull" | "nothing"): Access {
  return { name, actions: actions.filter((action) => action === to) };
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > TOKEN_LIMIT && oldest !== undefined) map.delete(oldest);
}

function randomToken(): string {
  return randomBytes(32).toString("base64url");
}
