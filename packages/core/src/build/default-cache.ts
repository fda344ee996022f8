import { homedir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";

/**
 * Where the cache lies where nobody names a place: by the XDG base directory specification, on Windows among the local
 * application data; else in the user's home, which is the account's if the environment has none. As the specification has it, a
 * relative path counts as none.
 *
 * @param homes - asked one after the other; one that throws knows of none
 * @returns `undefined`: the user has no place of their own
 */
export function defaultCache(
  environment: Readonly<Record<string, string | undefined>>,
  homes: readonly (() => string)[] = [homedir, () => userInfo().homedir],
): string | undefined {
  const { XDG_CACHE_HOME: caches, LOCALAPPDATA: applicationData } = environment;
  for (const named of [caches, applicationData])
    if (named !== undefined && isAbsolute(named)) return join(named, "undocked");
  for (const home of homes) {
    const named = attempt(home);
    if (named !== undefined && isAbsolute(named)) return join(named, ".cache", "undocked");
  }
  return undefined;
}

/** An account that the system does not know is an error of Node's. */
function attempt(home: () => string): string | undefined {
  try {
    return home();
  } catch {
    return undefined;
  }
}
