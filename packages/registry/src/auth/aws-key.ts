import { join } from "node:path";
import type { AwsKey } from "./aws-signature.ts";

/** What is read of the machine. */
export interface AwsKeyOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string | undefined;
  /** `undefined` for a file that is not there. */
  readonly readFile: (path: string) => Promise<string | undefined>;
}

/** The key in the environment, or that of the profile in AWS's credentials file. Nothing is asked of a network. */
export async function findAwsKey(options: AwsKeyOptions): Promise<AwsKey | undefined> {
  const { environment, home, readFile } = options;
  const value = (name: string): string | undefined =>
    environment[name] === "" ? undefined : environment[name];
  const inEnvironment = keyOf(
    value("AWS_ACCESS_KEY_ID"),
    value("AWS_SECRET_ACCESS_KEY"),
    value("AWS_SESSION_TOKEN"),
  );
  if (inEnvironment !== undefined) return inEnvironment;
  const path =
    value("AWS_SHARED_CREDENTIALS_FILE") ??
    (home === undefined ? undefined : join(home, ".aws", "credentials"));
  const text = path === undefined ? undefined : await readFile(path);
  if (text === undefined) return undefined;
  const profile = parseProfiles(text).get(value("AWS_PROFILE") ?? "default");
  return keyOf(
    profile?.get("aws_access_key_id"),
    profile?.get("aws_secret_access_key"),
    profile?.get("aws_session_token"),
  );
}

function keyOf(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
  sessionToken: string | undefined,
): AwsKey | undefined {
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** Sections of `name = value`; lines that are neither are passed over. */
function parseProfiles(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const profiles = new Map<string, Map<string, string>>();
  let open: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) {
      open = profiles.get(section) ?? new Map();
      profiles.set(section, open);
      continue;
    }
    const [name = "", ...rest] = line.split("=");
    const isComment = /^\s*[#;]/.test(line);
    if (!isComment && rest.length > 0) open?.set(name.trim().toLowerCase(), rest.join("=").trim());
  }
  return profiles;
}
