import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { makeDirectory } from "../files/make-directory.ts";
import { writeWholeFile } from "../files/whole-file.ts";
import { isDockerHub } from "../oci/reference.ts";
import { findLogin, parseCredentialFile } from "./config-file.ts";
import { CredentialError } from "./credential-error.ts";
import type { Credential } from "./credential.ts";
import { eraseByHelper, storeByHelper, type HelperRunner } from "./helper.ts";
import { userHome } from "../files/home.ts";
import { credentialKey, hostOfKey } from "./lookup-key.ts";
import { readTextFile } from "./stored-credentials.ts";

/** What is written of the machine; each can be handed in. */
export interface LoginOptions {
  /** Default `process.env`: `REGISTRY_AUTH_FILE` and `DOCKER_CONFIG` decide on the file. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default the user's own. */
  readonly home?: string;
  readonly runHelper?: HelperRunner;
}

/**
 * Keeps a login where docker does: at the helper that docker's config.json names for the host, else in the file itself.
 *
 * The file appears whole, only its owner may read it, and what else it holds stays. Whether the registry takes the login is
 * not asked.
 *
 * @param host - `host[:port]`, also as a URL
 * @returns where it is kept: the file's path, or the helper's program
 * @throws {CredentialError}
 */
export async function storeLogin(
  host: string,
  credential: Credential,
  options: LoginOptions = {},
): Promise<string> {
  const key = keyOf(host);
  const { username, secret } = loginOf(credential);
  const path = await credentialFile(options);
  const content = (await readTextFile(path)) ?? "";
  const { helper } = findLogin(parseCredentialFile(content, path), registryOf(host), "");
  if (helper !== undefined) await storeByHelper(helper.name, { key, username, secret }, options.runHelper);
  const config = parseConfig(content, path);
  // Docker too leaves an empty entry beside a helper: it lists what there is a login for.
  const entry = helper === undefined ? entryOf(username, secret) : {};
  await writeConfig(path, { ...config, auths: { ...config.auths, [key]: entry } });
  return helper === undefined ? path : `docker-credential-${helper.name}`;
}

/**
 * Forgets the login for a host, at the helper and in the file.
 *
 * @returns whether there was one
 * @throws {CredentialError}
 */
export async function removeLogin(host: string, options: LoginOptions = {}): Promise<boolean> {
  const key = keyOf(host);
  const registry = registryOf(host);
  const path = await credentialFile(options);
  const content = await readTextFile(path);
  if (content === undefined) return false;
  const { helper } = findLogin(parseCredentialFile(content, path), registry, "");
  const erased = helper !== undefined && (await eraseByHelper(helper.name, key, options.runHelper));
  const config = parseConfig(content, path);
  const kept = Object.entries(config.auths ?? {}).filter(([name]) => !namesHost(name, registry));
  if (kept.length === Object.keys(config.auths ?? {}).length) return erased;
  await writeConfig(path, { ...config, auths: Object.fromEntries(kept) });
  return true;
}

function registryOf(host: string): string {
  const name = hostOfKey(host.trim());
  if (/^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?$/.test(name)) return name;
  throw new CredentialError(
    "CREDENTIAL_FILE_INVALID",
    `${JSON.stringify(host.slice(0, 200))} is no registry's host.`,
    { hint: "Write host[:port], for example ghcr.io." },
  );
}

function keyOf(host: string): string {
  return credentialKey(registryOf(host));
}

/** Whether a key of the file is the host itself, in one of its forms, and not a namespace on it. */
function namesHost(key: string, registry: string): boolean {
  if (!/^(?:https?:\/\/)?[^/]+(?:\/(?:v[12]\/?)?)?$/i.test(key)) return false;
  const host = hostOfKey(key);
  return host === registry || (isDockerHub(host) && isDockerHub(registry));
}

/** As docker and its helpers keep it: an identity token is the secret of the user `<token>`. */
function loginOf({ username = "", password = "", identityToken, registryToken }: Credential): {
  readonly username: string;
  readonly secret: string;
} {
  if (identityToken !== undefined) return { username: "<token>", secret: identityToken };
  if (registryToken === undefined && username !== "" && !username.includes(":") && password !== "") {
    return { username, secret: password };
  }
  throw new CredentialError(
    "CREDENTIAL_FILE_INVALID",
    "A login has a user name without a colon and a password.",
  );
}

function entryOf(username: string, secret: string): Readonly<Record<string, string>> {
  if (username === "<token>") return { identitytoken: secret };
  return { auth: toBase64(`${username}:${secret}`) };
}

function toBase64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

const schema = z.looseObject({ auths: z.record(z.string(), z.unknown()).nullish() });

function parseConfig(content: string, path: string): z.infer<typeof schema> {
  const parsed = schema.safeParse(content.trim() === "" ? {} : JSON.parse(content));
  if (parsed.success) return parsed.data;
  throw new CredentialError("CREDENTIAL_FILE_INVALID", `The credential file ${path} has no form to add to.`, {
    hint: "Correct its `auths`.",
  });
}

/** The file that a login goes to; a link to it stays one. */
async function credentialFile({
  environment = process.env,
  home = userHome() ?? "",
}: LoginOptions): Promise<string> {
  const named = environment["REGISTRY_AUTH_FILE"] ?? "";
  const directory = environment["DOCKER_CONFIG"] ?? "";
  if (named === "" && directory === "" && home === "") {
    throw new CredentialError("CREDENTIAL_FILE_INVALID", "The user has no home to keep logins in.", {
      hint: "Set DOCKER_CONFIG to a directory, or HOME.",
    });
  }
  const docker = join(directory === "" ? join(home, ".docker") : directory, "config.json");
  const path = named === "" ? docker : named;
  return await realpath(path).catch(() => path);
}

async function writeConfig(path: string, config: unknown): Promise<void> {
  try {
    await makeDirectory(dirname(path), { mode: 0o700 });
    await writeWholeFile(path, `${JSON.stringify(config, undefined, "\t")}\n`, { mode: 0o600 });
  } catch (error) {
    throw new CredentialError("CREDENTIAL_FILE_INVALID", `The credential file ${path} cannot be written.`, {
      cause: error,
      hint: "Check who may write there.",
    });
  }
}
