import { WordError } from "../dockerfile/error.ts";

/** Characters that one plan may expand to. */
const LIMIT = 32 * 1024 * 1024;

/** What one thing with a name counts as in characters: it is a key, a line of history and a member of maps. */
export const ENTRY_COST = 128;

/** Keeps a small text from asking for much: `ENV A=$A$A`, `EXPOSE 1-65535` or `WORKDIR a`, again and again. */
export class Budget {
  #left: number = LIMIT;

  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** @throws {DockerfileError} `DOCKERFILE_INVALID` when there is no more */
  take(characters: number): void {
    this.#left -= characters;
    if (this.isSpent) {
      throw new WordError(
        `what this Dockerfile expands to has more than ${LIMIT} characters`,
        "Look for variables, paths and ports that grow from line to line.",
      );
    }
  }
}
