import { readFile } from "node:fs/promises";
import { findLogin, parseCredentialFile, type CredentialFile } from "./config-file.ts";
import { CredentialError } from "./credential-error.ts";
import type { Credential, CredentialSource } from "./credential.ts";
import { askHelper, runHelper, type HelperRunner } from "./helper.ts";
import { userHome } from "../files/home.ts";
import { credentialPlaces, type CredentialPlace } from "./search-path.ts";

/** What is read of the machine; each can be handed in. Nothing is read before a registry wants to know who we are. */
export interface StoredCredentialsOptions {
  /** Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default the user's own. */
  readonly home?: string;
  /** `undefined` for a file that is not there. */
  readonly readFile?: (path: string) => Promise<string | undefined>;
  readonly runHelper?: HelperRunner;
  /** Told of a helper that failed at a pull: the search went on without it. At a push that is an error. */
  readonly onWarning?: (message: string, code: CredentialError["code"]) => void;
}

/**
 * The logins that docker and podman have stored: `DOCKER_AUTH_CONFIG`, `REGISTRY_AUTH_FILE`, `DOCKER_CONFIG`, docker's
 * config.json, podman's auth.json, and the helpers that they name. The first place with an answer counts.
 *
 * Files are read once; a helper is asked once for each key.
 */
export function storedCredentials(options: StoredCredentialsOptions = {}): CredentialSource {
  const read = options.readFile ?? readTextFile;
  const run = options.runHelper ?? runHelper;
  const answers = new Map<string, Promise<Credential | undefined>>();
  let files: Promise<readonly CredentialFile[]> | undefined;

  const ask = async (name: string, key: string, access: "pull" | "push"): Promise<Credential | undefined> => {
    const id = `${name} ${key}`;
    const known = answers.get(id) ?? askHelper(name, key, run);
    answers.set(id, known);
    try {
      return await known;
    } catch (error) {
      // A pull may do without a login; a push does not, and would end with a reason that misleads.
      if (!(error instanceof CredentialError) || access === "push") throw error;
      options.onWarning?.(error.message, error.code);
      return undefined;
    }
  };

  return async ({ registry, repository, access = "pull" }) => {
    files ??= readPlaces(
      credentialPlaces(options.environment ?? process.env, options.home ?? userHome(), process.getuid?.()),
      read,
    );
    files.catch(() => (files = undefined));
    for (const file of await files) {
      const { helper, credential } = findLogin(file, registry, repository);
      const fromHelper = helper === undefined ? undefined : await ask(helper.name, helper.key, access);
      const found = fromHelper ?? credential;
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

async function readPlaces(
  places: readonly CredentialPlace[],
  read: (path: string) => Promise<string | undefined>,
): Promise<readonly CredentialFile[]> {
  const files: CredentialFile[] = [];
  for (const place of places) {
    const content = place.content ?? (await read(place.name));
    if (content !== undefined) {
      const file = parseCredentialFile(content, place.name);
      // A variable's content may come from anywhere: it names no programs to run.
      files.push(place.kind === "inline" ? { auths: file.auths, credHelpers: new Map() } : file);
    } else if (place.required) {
      throw new CredentialError("CREDENTIAL_FILE_INVALID", `There is no credential file ${place.name}.`, {
        hint: "Correct REGISTRY_AUTH_FILE, or unset it.",
      });
    }
  }
  return files;
}

/** `undefined` for a file that is not there. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CredentialError("CREDENTIAL_FILE_INVALID", `The credential file ${path} cannot be read.`, {
      cause: error,
      hint: "Check who may read it.",
    });
  }
}
