import { randomUUID, sign } from "node:crypto";
import { json, scriptedServer, type ScriptedServer } from "./scripted-server.ts";
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

/** A token server as distribution's specification has it, for Debian's docker-registry. */
export async function startTokenService(options: TokenServiceOptions): Promise<ScriptedServer> {
  return await scriptedServer((request, response) => {
    const [user, password] = basic(request.authorization);
    const known = user !== undefined && options.users[user] === password;
    if (user !== undefined && !known) {
      json(response, 401, { errors: [{ code: "UNAUTHORIZED", message: "wrong user or password" }] });
      return;
    }
    const access = request.query.getAll("scope").flatMap((scope) => {
      const [type = "", name = "", actions = ""] = scope.split(":");
      const allowed = actions
        .split(",")
        .filter((action) => known || (action === "pull" && name.startsWith("public/")));
      return allowed.length === 0 ? [] : [{ type, name, actions: allowed }];
    });
    json(response, 200, {
      token: token(options, user ?? "", request.query.get("service") ?? "", access),
      expires_in: options.lifetimeSeconds ?? 300,
    });
  }, options.tls);
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
