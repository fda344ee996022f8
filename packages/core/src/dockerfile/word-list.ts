import { isBlank } from "./blank.ts";

/** Collects words: an empty one counts only if it was quoted. */
export class WordList {
  readonly #words: string[] = [];
  #word: string | undefined;
  #announcing = false;

  /** Text in which blanks separate words. */
  addExpanded(text: string): void {
    for (const character of text) {
      const blank = isBlank(character);
      // In `<< EOF` the blank is part of what announces a heredoc.
      this.#announcing = blank && (this.#announcing || /<<-?$/.test(this.#word?.slice(-3) ?? ""));
      if (blank && !this.#announcing) this.#end();
      else this.#word = (this.#word ?? "") + character;
    }
  }

  /** Text in which they do not. */
  addProtected(text: string): void {
    if (text !== "" || this.#word !== undefined) this.#word = (this.#word ?? "") + text;
  }

  finish(): readonly string[] {
    this.#end();
    return this.#words;
  }

  #end(): void {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
  }
}
