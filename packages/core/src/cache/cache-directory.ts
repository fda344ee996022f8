import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where the cache lies: the directory named, else `undocked` in the user's cache directory. */
export function cacheDirectory(cache: string | false | undefined): string {
  return resolve(typeof cache === "string" ? cache : defaultCache(process.env));
}

/** By the XDG base directory specification; on Windows, the local application data. */
function defaultCache(env: NodeJS.ProcessEnv): string {
  const caches = env["XDG_CACHE_HOME"] ?? env["LOCALAPPDATA"];
  return join(caches === undefined || caches === "" ? join(homedir(), ".cache") : caches, "undocked");
}
