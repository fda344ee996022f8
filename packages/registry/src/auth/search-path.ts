import { join } from "node:path";

/** Where logins may be stored, in the order to look; the first with an answer counts. */
export interface CredentialPlace {
  readonly kind: "file" | "inline";
  /** A path, or the name of the variable. */
  readonly name: string;
  /** The user named it, so that its absence is a mistake. */
  readonly required: boolean;
  /** Of an inline place. */
  readonly content?: string;
}

/**
 * @param home - without one, the places in it are left out
 * @param uid - the user's number
 */
export function credentialPlaces(
  environment: Readonly<Record<string, string | undefined>>,
  home: string | undefined,
  uid: number | undefined,
): readonly CredentialPlace[] {
  const value = (name: string): string | undefined => {
    const found = environment[name];
    return found === "" ? undefined : found;
  };
  const optional = (path: string): CredentialPlace => ({ kind: "file", name: path, required: false });
  const inline = value("DOCKER_AUTH_CONFIG");
  const first: readonly CredentialPlace[] =
    inline === undefined
      ? []
      : [{ kind: "inline", name: "DOCKER_AUTH_CONFIG", required: false, content: inline }];
  const authFile = value("REGISTRY_AUTH_FILE");
  if (authFile !== undefined) return [...first, { kind: "file", name: authFile, required: true }];
  const dockerConfig = value("DOCKER_CONFIG");
  if (dockerConfig !== undefined) return [...first, optional(join(dockerConfig, "config.json"))];
  const runtime = value("XDG_RUNTIME_DIR");
  const runtimeDirectory =
    runtime === undefined
      ? uid === undefined
        ? undefined
        : `/run/containers/${uid}`
      : join(runtime, "containers");
  const configuration = value("XDG_CONFIG_HOME") ?? (home === undefined ? undefined : join(home, ".config"));
  return [
    ...first,
    ...(home === undefined ? [] : [optional(join(home, ".docker", "config.json"))]),
    ...(runtimeDirectory === undefined ? [] : [optional(join(runtimeDirectory, "auth.json"))]),
    ...(configuration === undefined ? [] : [optional(join(configuration, "containers", "auth.json"))]),
  ];
}
