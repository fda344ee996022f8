import type { ClosedBy, LibraryRoot } from "../elf/library-root.ts";
import type { Walk } from "./image-files.ts";
import { userName } from "./reach.ts";
import { closedDirectory, permissions, type Trial } from "./trial.ts";
import { may } from "./user.ts";

/** The image's libraries as a loader sees them that runs as the trial's user. */
export function userLibraries(trial: Trial): LibraryRoot {
  const { libraries } = trial.files;
  if (trial.user.uid === 0) return libraries;
  return {
    ...libraries,
    resolve(path) {
      const file = libraries.resolve(path);
      const closed = file === undefined ? undefined : closedTo(trial, trial.files.walk(path));
      return file === undefined || closed === undefined ? file : { ...file, closed };
    },
  };
}

/** Why the user may not open what is there to read it; `undefined`: they may, or nothing is there. */
export function closedTo(trial: Trial, walk: Walk): ClosedBy | undefined {
  const directory = closedDirectory(trial, walk);
  if (directory === undefined && (walk.node === undefined || may(trial.user, 4, walk.node))) return undefined;
  const path = directory ?? walk.path;
  return { user: userName(trial), path, mode: permissions(trial.files.root.lstat(path)?.mode ?? 0) };
}
