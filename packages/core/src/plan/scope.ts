import type { Escape } from "../dockerfile/ast.ts";
import { WordError } from "../dockerfile/error.ts";
import { expand, type Expansion, type ExpandOptions, type Lookup } from "../dockerfile/expand.ts";
import { ENTRY_COST, type Budget } from "./budget.ts";

/** A word after expansion. */
export interface Word {
  readonly text: string;
  readonly words: readonly string[];
  /** Whether an unknown base could change it. */
  readonly provisional: boolean;
  /** Names that were used and not set. */
  readonly unset: ReadonlySet<string>;
}

export interface ScopeOptions {
  readonly escape: Escape;
  readonly budget: Budget;
  /** Whether a base that could define more is not known. */
  readonly open: boolean;
  /** The stage that this one begins with. */
  readonly parent: Scope | undefined;
}

/** The variables that a stage's instructions see: ENV and ARG alike, the later one of a name wins. */
export class Scope {
  readonly escape: Escape;
  /** Whether a base that could define more is not known. */
  readonly open: boolean;
  readonly #budget: Budget;
  #values: Map<string, string>;
  #provisional: Set<string>;
  #declared: Set<string>;
  /** Whether the collections are those of a parent stage, to be copied before they are written. */
  #shared: boolean;
  /** Whether the word that is being expanded has used what an unknown base could change. */
  #touched = false;

  constructor({ escape, budget, open, parent }: ScopeOptions) {
    this.escape = escape;
    this.#budget = budget;
    this.open = open;
    this.#values = parent === undefined ? new Map() : parent.#values;
    this.#provisional = parent === undefined ? new Set() : parent.#provisional;
    this.#declared = parent === undefined ? new Set() : parent.#declared;
    this.#shared = parent !== undefined;
    if (parent !== undefined) parent.#shared = true;
  }

  set(name: string, value: Pick<Word, "text" | "provisional">): void {
    this.#own();
    this.#values.set(name, value.text);
    if (value.provisional) this.#provisional.add(name);
    else this.#provisional.delete(name);
  }

  /** An ARG has named it, so that its being unset is no mistake. */
  declare(name: string): void {
    this.#own();
    this.#declared.add(name);
  }

  isDeclared(name: string): boolean {
    return this.#declared.has(name);
  }

  names(): Iterable<string> {
    return this.#values.keys();
  }

  /** @throws {DockerfileError} `DOCKERFILE_INVALID`, unless the fault may come from an unknown base */
  expand(text: string, options: Omit<ExpandOptions, "unset"> = {}): Word {
    this.#touched = false;
    try {
      const expansion = expand(text, this.#lookup, { escape: this.escape, ...options });
      return new ExpandedWord(expansion, this.#touched, this.open ? NONE : expansion.unset);
    } catch (error) {
      if (!(error instanceof WordError) || !this.#touched) throw error;
      return { text, words: [], provisional: true, unset: NONE };
    }
  }

  readonly #lookup: Lookup = (name) => {
    const value = this.#values.get(name);
    this.#budget.take(value?.length ?? 0);
    if (value === undefined ? this.open : this.#provisional.has(name)) this.#touched = true;
    return value;
  };

  #own(): void {
    if (!this.#shared) return;
    this.#budget.take((this.#values.size + this.#declared.size) * ENTRY_COST);
    this.#values = new Map(this.#values);
    this.#provisional = new Set(this.#provisional);
    this.#declared = new Set(this.#declared);
    this.#shared = false;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** Its words are split only for who asks. */
class ExpandedWord implements Word {
  readonly text: string;
  readonly provisional: boolean;
  readonly unset: ReadonlySet<string>;
  readonly #expansion: Expansion;

  constructor(expansion: Expansion, provisional: boolean, unset: ReadonlySet<string>) {
    this.text = expansion.text;
    this.provisional = provisional;
    this.unset = unset;
    this.#expansion = expansion;
  }

  get words(): readonly string[] {
    return this.#expansion.words;
  }
}
