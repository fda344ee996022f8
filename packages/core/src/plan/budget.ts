import { WordError } from "../dockerfile/error.ts";

/** Characters that the variables used in one plan may have together. */
const LIMIT = 32 * 1024 * 1024;

/** Keeps a small text from asking for much: `ENV A=$A$A` and `EXPOSE 1-65535`, again and again. */
export class Budget {
  #left: number = LIMIT;

  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** @throws {DockerfileError} `DOCKERFILE_INVALID` when there is no more */
  take(characters: number): void {
    this.#left -= characters;
    if (this.isSpent) {
      throw new WordError(`the variables of this Dockerfile expand to more than ${LIMIT} characters`);
    }
  }
}
