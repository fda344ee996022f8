/** A token of TypeScript source, as far as the architecture test needs to tell them apart. */
export interface Token {
  readonly kind: "word" | "string" | "mark";
  /** Of a string: what stands between its quotes. */
  readonly text: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** How many braces are open around it. */
  readonly depth: number;
}

// After one of these a slash begins a regular expression, after any other token it divides.
const beforeRegExp =
  /^(?:[(,=:[!&|?{};+\-*%<>~^]|return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield)$/;

const patterns = {
  blank: /\s+|\/\/.*|\/\*[\s\S]*?\*\/|^#!.*/y,
  word: /[\p{ID_Start}$_#][\p{ID_Continue}$]*|\d[\w.]*/uy,
  string: /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y,
  regExp: /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y,
  templatePart: /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y,
  mark: /=>|[\s\S]/y,
};

/** Tokens without comments, regular expressions and the text of templates; what templates embed is there. */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  // For each open brace: whether its end goes on with a template.
  const braces: ("block" | "template")[] = [];
  let position = 0;
  let lineStart = 0;
  let line = 1;

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) return undefined;
    position += text.length;
    const breaks = text.split("\n").length - 1;
    if (breaks > 0) {
      line += breaks;
      lineStart = position - text.length + text.lastIndexOf("\n") + 1;
    }
    return text;
  };
  const add = (kind: Token["kind"], text: string, from: { line: number; column: number }): void => {
    tokens.push({ kind, text, ...from, depth: braces.length });
  };
  const takeTemplatePart = (): void => {
    take(patterns.templatePart);
    if (source.startsWith("${", position)) {
      position += 2;
      braces.push("template");
    } else {
      position += 1; // the closing backtick
    }
  };

  while (position < source.length) {
    if (take(patterns.blank) !== undefined) continue;
    const from = { line, column: position - lineStart + 1 };
    const character = source[position];
    const word = take(patterns.word);
    if (word !== undefined) {
      add("word", word, from);
      continue;
    }
    const string = take(patterns.string);
    if (string !== undefined) {
      add("string", string.slice(1, -1), from);
      continue;
    }
    const previous = tokens.at(-1);
    const regExpMayFollow =
      previous === undefined || (previous.kind !== "string" && beforeRegExp.test(previous.text));
    if (character === "/" && regExpMayFollow && take(patterns.regExp) !== undefined) {
      add("string", "", from);
      continue;
    }
    if (character === "`") {
      add("string", "", from);
      position += 1;
      takeTemplatePart();
      continue;
    }
    if (character === "}" && braces.pop() === "template") {
      position += 1;
      takeTemplatePart();
      continue;
    }
    const mark = take(patterns.mark) ?? "";
    add("mark", mark, from);
    if (mark === "{") braces.push("block");
  }
  return tokens;
}
