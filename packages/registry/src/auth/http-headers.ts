import { z } from "zod";
import { userHome } from "../files/home.ts";
import { credentialPlaces } from "./search-path.ts";
import { readTextFile, type StoredCredentialsOptions } from "./stored-credentials.ts";

const schema = z.object({ HttpHeaders: z.record(z.string(), z.unknown()).optional() });

// What a request says of itself is not for a file to say.
const own =
  /^(?:accept|accept-encoding|authorization|connection|content-.*|cookie|host|if-.*|range|te|trailer|transfer-encoding|upgrade|user-agent)$/i;

/**
 * `HttpHeaders` of docker's config.json: what its user wants to be sent to registries. What is no header's name or value,
 * or would change what a request means, is left out; a file that cannot be read has none.
 */
export async function storedHeaders(
  options: Pick<StoredCredentialsOptions, "environment" | "home" | "readFile"> = {},
): Promise<Readonly<Record<string, string>>> {
  const { environment = process.env, home = userHome(), readFile = readTextFile } = options;
  const { REGISTRY_AUTH_FILE: _, DOCKER_AUTH_CONFIG: _inline, ...docker } = environment;
  const [place] = credentialPlaces(docker, home, undefined);
  const text = place === undefined ? undefined : await readFile(place.name).catch(() => undefined);
  const headers = schema.safeParse(parsed(text ?? "")).data?.HttpHeaders ?? {};
  return Object.fromEntries(
    Object.entries(headers).filter(
      (pair): pair is [string, string] => isHeader(pair[0], pair[1]) && !own.test(pair[0]),
    ),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isHeader(name: string, value: unknown): boolean {
  return (
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name) &&
    typeof value === "string" &&
    /^[\t\x20-\x7e]{0,4096}$/.test(value)
  );
}
