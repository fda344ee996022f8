import { z } from "zod";
import { isDockerHub } from "../oci/reference.ts";
import { CredentialError } from "./credential-error.ts";
import type { Credential } from "./credential.ts";
import { credentialKey, dockerHubKey, hostOfKey, namespaceKeys } from "./lookup-key.ts";

/** Docker's config.json or podman's auth.json, as far as it is about logins. */
export interface CredentialFile {
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** By key: the helper that knows it. An empty name is none. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** The helper that is asked for everything else. */
  readonly credsStore?: string;
}

export interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Where to find a credential, in the order to look: at most one helper, then what the file itself holds. */
export interface StoredLogin {
  readonly helper?: { readonly name: string; readonly key: string };
  readonly credential?: Credential;
}

const SIZE_LIMIT = 1024 * 1024;

const text = z.string().optional().catch(undefined);
const entry = z
  .object({ auth: text, username: text, password: text, identitytoken: text, registrytoken: text })
  .catch({
    auth: undefined,
    username: undefined,
    password: undefined,
    identitytoken: undefined,
    registrytoken: undefined,
  });
// One broken entry must not take the others with it.
const schema = z.object({
  auths: z.record(z.string(), z.unknown()).nullish().catch(undefined),
  credHelpers: z.record(z.string(), z.unknown()).nullish().catch(undefined),
  credsStore: text,
});

const oldFile = z
  .record(z.string(), z.looseObject({ auth: z.string() }))
  .refine((file) => Object.keys(file).length > 0);

/**
 * @param name - of the file, for the message; nothing of its content is told
 * @throws {CredentialError} `CREDENTIAL_FILE_INVALID`
 */
export function parseCredentialFile(content: string, name: string): CredentialFile {
  if (content.length > SIZE_LIMIT) throw invalid(name, `is larger than ${SIZE_LIMIT} bytes`);
  // Docker's own reader takes an empty file for one without logins.
  if (content.trim() === "") return { auths: new Map(), credHelpers: new Map() };
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    throw invalid(name, "is not JSON");
  }
  // Docker's first files were nothing but their entries.
  const bare = oldFile.safeParse(json);
  const parsed = schema.safeParse(bare.success && !("auths" in bare.data) ? { auths: bare.data } : json);
  if (!parsed.success) throw invalid(name, "is not an object");
  const { auths, credHelpers, credsStore } = parsed.data;
  const helpers = Object.entries(credHelpers ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    auths: new Map(Object.entries(auths ?? {}).map(([key, value]) => [key, readEntry(value)])),
    credHelpers: new Map(helpers),
    ...(credsStore === undefined || credsStore === "" ? {} : { credsStore }),
  };
}

function readEntry(value: unknown): AuthEntry {
  const fields = Object.entries(entry.parse(value)).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields);
}

function invalid(name: string, what: string): CredentialError {
  return new CredentialError("CREDENTIAL_FILE_INVALID", `The credential file ${name} ${what}.`, {
    hint: "Correct it, or log in again with an empty one.",
  });
}

/** What one file has for a repository; an empty answer means: look in the next. */
export function findLogin(file: CredentialFile, registry: string, repository: string): StoredLogin {
  const credential = findCredential(file.auths, registry, repository);
  const helper = findHelper(file, registry, repository);
  return {
    ...(helper === undefined ? {} : { helper }),
    ...(credential === undefined ? {} : { credential }),
  };
}

function findHelper(
  file: CredentialFile,
  registry: string,
  repository: string,
): StoredLogin["helper"] | undefined {
  for (const key of keysFor(registry, repository)) {
    const name = file.credHelpers.get(key);
    if (name === undefined) continue;
    // An empty name turns the helpers off for that key.
    return name === "" ? undefined : { name, key: isHubKey(key) ? dockerHubKey : key };
  }
  const { credsStore } = file;
  return credsStore === undefined ? undefined : { name: credsStore, key: credentialKey(registry) };
}

/** Exact keys from the repository up to the host, then keys in a URL's form. */
function findCredential(
  auths: ReadonlyMap<string, AuthEntry>,
  registry: string,
  repository: string,
): Credential | undefined {
  for (const key of keysFor(registry, repository)) {
    const exact = auths.get(key);
    const credential = exact === undefined ? undefined : credentialOf(exact);
    if (credential !== undefined) return credential;
  }
  const hub = isDockerHub(registry);
  for (const [key, value] of auths) {
    // Without a scheme, what follows the first slash is a namespace, which only an exact key names.
    const isUrl = /^https?:\/\//i.test(key) || /^[^/]+(?:\/(?:v[12]\/?)?)?$/.test(key);
    if (!isUrl) continue;
    const host = hostOfKey(key);
    if (host !== registry.toLowerCase() && !(hub && isDockerHub(host))) continue;
    const credential = credentialOf(value);
    if (credential !== undefined) return credential;
  }
  return undefined;
}

function keysFor(registry: string, repository: string): readonly string[] {
  const keys = namespaceKeys(registry, repository);
  return isDockerHub(registry) ? [...keys.slice(0, -1), dockerHubKey, ...keys.slice(-1)] : keys;
}

function isHubKey(key: string): boolean {
  return isDockerHub(hostOfKey(key));
}

/** `undefined` for an entry that proves nothing: docker leaves empty ones beside a helper. */
export function credentialOf(stored: AuthEntry): Credential | undefined {
  const decoded = stored.auth === undefined ? undefined : decodeAuth(stored.auth);
  const username = decoded?.username ?? stored.username;
  const password = decoded?.password ?? stored.password;
  const { identitytoken, registrytoken } = stored;
  if (username === "<token>") {
    return password === undefined || password === "" ? undefined : { identityToken: password };
  }
  const credential: Credential = {
    ...(username === undefined || username === "" ? {} : { username, password: password ?? "" }),
    ...(identitytoken === undefined || identitytoken === "" ? {} : { identityToken: identitytoken }),
    ...(registrytoken === undefined || registrytoken === "" ? {} : { registryToken: registrytoken }),
  };
  return Object.keys(credential).length === 0 ? undefined : credential;
}

/** base64 of `user:password`, split at the first colon; padding may be missing, NULs at the end do not count. */
function decodeAuth(auth: string): { readonly username: string; readonly password: string } | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(auth)) return undefined;
  const decoded = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = decoded.indexOf(":");
  if (colon <= 0) return undefined;
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
