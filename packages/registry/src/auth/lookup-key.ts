import { isDockerHub } from "../oci/reference.ts";

/** Under which docker stores Docker Hub's login. */
export const dockerHubKey = "https://index.docker.io/v1/";

/** What a registry is called in credential files and by helpers. */
export function credentialKey(registry: string): string {
  return isDockerHub(registry) ? dockerHubKey : registry;
}

/** `host/a/b`, `host/a`, `host`: the most specific first. */
export function namespaceKeys(registry: string, repository: string): readonly string[] {
  const parts = repository === "" ? [] : repository.split("/");
  return [...parts.keys(), parts.length]
    .toReversed()
    .map((count) => [registry, ...parts.slice(0, count)].join("/"));
}

/** The host of a key that may be a URL: `https://host:5000/v2/` is `host:5000`. */
export function hostOfKey(key: string): string {
  return (key.replace(/^https?:\/\//i, "").split("/", 1)[0] ?? "").toLowerCase();
}
