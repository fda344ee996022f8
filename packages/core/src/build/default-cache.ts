import { isAbsolute, join } from "node:path";

/**
 * Where the cache lies where nobody names a place: by the XDG base directory specification, on Windows among the local
 * application data; else in the user's home, which is the account's if the environment has none. As the specification has it, a
 * relative path counts as none.
 *
 * @returns `undefined`: the user has no place of their own
 */
export function defaultCache(
  environment: Readonly<Record<string, string | undefined>>,
  home: string | undefined,
): string | undefined {
  const { XDG_CACHE_HOME: caches, LOCALAPPDATA: applicationData } = environment;
  for (const named of [caches, applicationData])
    if (named !== undefined && isAbsolute(named)) return join(named, "undocked");
  return home === undefined ? undefined : join(home, ".cache", "undocked");
}
