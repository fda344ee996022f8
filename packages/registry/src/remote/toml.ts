import { parse } from "smol-toml";
import { RegistryError } from "./registry-error.ts";

const SIZE_LIMIT = 1024 * 1024;

/**
 * Reads TOML, as the configurations of containerd and podman are written in. smol-toml's own error tells a piece of the
 * text, which may hold a secret header: it is not passed on.
 *
 * @throws {RegistryError} `HOST_CONFIG_INVALID`
 */
export function parseToml(text: string, name: string): unknown {
  if (text.length > SIZE_LIMIT) throw invalidHostConfig(name, `has more than ${SIZE_LIMIT} characters`);
  try {
    return parse(text);
  } catch {
    throw invalidHostConfig(name, "is not TOML");
  }
}

export function invalidHostConfig(name: string, what: string): RegistryError {
  return new RegistryError("HOST_CONFIG_INVALID", `${name} ${what}.`, {
    hint: "Correct the file, or do not name it.",
  });
}
