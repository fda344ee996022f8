import { WordError } from "./error.ts";

/** An owner as written: a number, or a name for the image's own passwd or group. */
export type OwnerWord = number | string;

/** Whom `--chown` gives a file to: user and group, each by number or name. */
export interface Chown {
  /** 0 when only a group was given. */
  readonly user: OwnerWord;
  /** Absent: for a number the same number, for a name its primary group. */
  readonly group?: OwnerWord;
}

const LARGEST = 2 ** 31 - 1;

/**
 * Reads `user`, `user:group` or `:group`.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, for a negative or too large number
 */
export function parseChown(text: string): Chown {
  const at = text.indexOf(":");
  const user = at < 0 ? text : text.slice(0, at);
  const group = at < 0 ? "" : text.slice(at + 1);
  return {
    user: user === "" ? 0 : ownerWord(user, text),
    ...(group === "" ? {} : { group: ownerWord(group, text) }),
  };
}

function ownerWord(word: string, whole: string): OwnerWord {
  if (word === "root") return 0;
  if (!/^[+-]?\d+$/.test(word)) return word;
  const number = Number(word);
  if (number < 0 || number > LARGEST) {
    throw new WordError(
      `invalid chown parameter: '${whole}': ${word} is not between 0 and ${LARGEST}`,
      "Write user, user:group or numbers.",
    );
  }
  return number;
}
