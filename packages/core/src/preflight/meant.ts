import { fromWorkingDirectory, type Trial } from "./trial.ts";

/**
 * A hint for a program whose name has words in it that belong apart.
 *
 * @param isProgram - whether there is a program of a name
 * @returns `undefined`: that was not meant
 */
export function wordsApart(name: string, isProgram: (name: string) => boolean): string | undefined {
  const words = name.trim().split(/\s+/);
  const [first = ""] = words;
  return words.length > 1 && isProgram(first)
    ? `Write its words apart: ${JSON.stringify(words)}.`
    : undefined;
}

/** Whether a path, from the working directory, is that of a file. */
export function isFile(trial: Trial, path: string): boolean {
  return trial.files.walk(fromWorkingDirectory(trial, path)).node?.kind === "file";
}
