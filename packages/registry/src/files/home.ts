import { homedir, userInfo } from "node:os";
import { isAbsolute } from "node:path";

/**
 * The user's home: as the environment has it, else as the account has it. A relative path counts as none, as files would be
 * looked for wherever the process happens to be.
 *
 * @param homes - asked one after the other; one that throws knows of none
 * @returns `undefined`: there is none, as for a user id that no account has
 */
export function userHome(
  homes: readonly (() => string)[] = [homedir, () => userInfo().homedir],
): string | undefined {
  for (const home of homes) {
    const named = attempt(home);
    if (named !== undefined && isAbsolute(named)) return named;
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
