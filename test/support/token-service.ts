import { randomUUID, sign } from "node:crypto";
import { json, scriptedServer, type ScriptedServer, type SeenRequest } from "./scripted-server.ts";
import type { Certificate } from "./tls.ts";

export interface TokenServiceOptions {
  /** Signs the tokens; a registry that trusts its authority takes them. */
  readonly signer: Certificate;
  readonly tls?: Certificate;
  readonly issuer: string;
  /** Passwords by user. They may do everything; others may pull what begins with `public/`. */
  readonly users: Readonly<Record<string, string>>;
  readonly lifetimeSeconds?: number;
}

/**
 * A token server as distribution's specification has it, for Debian's docker-registry: by GET with Basic, and by OAuth2's
 * POST with a password or a refresh token.
 */
export async function startTokenService(options: TokenServiceOptions): Promise<ScriptedServer> {
  return await scriptedServer(async (request, response) => {
    const asked = request.method === "POST" ? await fromForm(request) : fromQuery(request);
    const known = asked.user !== undefined && options.users[asked.user] === asked.password;
    if (asked.user !== undefined && !known) {
      json(response, 401, { errors: [{ code: "UNAUTHORIZED", message: "wrong user or password" }] });
      return;
    }
    const access = asked.scopes.flatMap((scope) => {
      const [type = "", name = "", actions = ""] = scope.split(":");
      const allowed = actions
        .split(",")
        .filter((action) => known || (action === "pull" && name.startsWith("public/")));
      return allowed.length === 0 ? [] : [{ type, name, actions: allowed }];
    });
    json(response, 200, {
      token: token(options, asked.user ?? "", asked.service, access),
      expires_in: options.lifetimeSeconds ?? 300,
      ...(asked.offline ? { refresh_token: refreshToken(asked.user, asked.password) } : {}),
    });
  }, options.tls);
}

interface Asked {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly service: string;
  readonly scopes: readonly string[];
  readonly offline: boolean;
}

function fromQuery({ query, authorization }: SeenRequest): Asked {
  const [user, password] = basic(authorization);
  const offline = query.get("offline_token") === "true";
  return { user, password, service: query.get("service") ?? "", scopes: query.getAll("scope"), offline };
}

async function fromForm(request: SeenRequest): Promise<Asked> {
  const form = new URLSearchParams((await request.body()).toString());
  const [user, password] =
    form.get("grant_type") === "refresh_token"
      ? Buffer.from(form.get("refresh_token") ?? "", "base64url")
          .toString("utf8")
          .split("\n")
      : [form.get("username") ?? "", form.get("password") ?? ""];
  const scopes = (form.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
  const offline = form.get("access_type") === "offline";
  return { user, password, service: form.get("service") ?? "", scopes, offline };
}

/** Says by itself whose it is: this service remembers nothing. */
function refreshToken(user = "", password = ""): string {
  return Buffer.from(`${user}\n${password}`).toString("base64url");
}

function basic(header: string | undefined): readonly string[] {
  if (header === undefined) return [];
  const text = Buffer.from(header.replace("Basic ", ""), "base64").toString("utf8");
  const colon = text.indexOf(":");
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function token(options: TokenServiceOptions, subject: string, audience: string, access: unknown): string {
  const { signer, issuer, lifetimeSeconds = 300 } = options;
  const now = Math.floor(Date.now() / 1000);
  const der = signer.cert.replaceAll(/-----[^-]+-----|\s/g, "");
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = part({ typ: "JWT", alg: "ES256", x5c: [der] });
  const claims = part({
    iss: issuer,
    sub: subject,
    aud: audience,
    exp: now + lifetimeSeconds,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access,
  });
  const signature = sign("sha256", Buffer.from(`${head}.${claims}`), {
    key: signer.key,
    dsaEncoding: "ieee-p1363",
  });
  return `${head}.${claims}.${signature.toString("base64url")}`;
}
