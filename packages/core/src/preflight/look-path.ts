import { closedDirectory, fromWorkingDirectory, type Trial } from "./trial.ts";
import { may } from "./user.ts";

/** What Docker sets where an image says nothing. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export type LookUp =
  | { readonly kind: "found"; readonly path: string }
  /** `closed`: a file of that name that the user may not execute. */
  | { readonly kind: "missing"; readonly searched: string; readonly closed?: string };

/** Finds a program without a slash as Go's `exec.LookPath` and `execvp` do: the first regular file that may be executed. */
export function lookPath(trial: Trial, name: string, environment: ReadonlyMap<string, string>): LookUp {
  const searched = environment.get("PATH") ?? defaultPath;
  let closed: string | undefined;
  for (const directory of searched.split(":")) {
    const path = directory === "" ? `./${name}` : `${directory.replace(/\/+$/, "")}/${name}`;
    const walk = trial.files.walk(fromWorkingDirectory(trial, path));
    if (walk.node?.kind !== "file") continue;
    if (may(trial.user, 1, walk.node) && closedDirectory(trial, walk) === undefined) {
      return { kind: "found", path };
    }
    closed ??= path;
  }
  return { kind: "missing", searched, ...(closed === undefined ? {} : { closed }) };
}
