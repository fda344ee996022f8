import { tokensOf, type Token } from "./tokens.ts";

/** What a module says about itself that the architecture test asks for. */
export interface ModuleScan {
  /** Specifiers of static and dynamic imports, of re-exports and `require`, types included, in their order. */
  readonly imports: readonly string[];
  /** `import()` or `require()` of something that is not a literal. */
  readonly computedImports: boolean;
  readonly defaultExport: boolean;
  /** Whether every statement is a re-export. */
  readonly onlyReExports: boolean;
  readonly topLevelAwait: boolean;
  /** Whether `process.env` is read when the module is loaded. */
  readonly environmentAtLoad: boolean;
  /** First words of the module's own statements that are neither declarations, imports nor exports. */
  readonly looseStatements: readonly string[];
}

const declarations = /^(?:import|export|const|let|function|async|class|abstract|interface|type|declare)$/;

/** Expects formatted source: a statement of the module begins in the first column. */
export function scanModule(source: string): ModuleScan {
  const tokens = tokensOf(source);
  const statements = statementsOf(tokens);
  const loadedCode = statements.map(beforeFirstArrow);
  return {
    imports: importsOf(tokens),
    computedImports: tokens.some(
      (_, index) => isImportCall(tokens, index) && tokens[index + 2]?.kind !== "string",
    ),
    defaultExport: tokens.some(
      (token, index) =>
        (isWord(token, "export") && isWord(tokens[index + 1], "default")) ||
        (isWord(token, "as") && isWord(tokens[index + 1], "default") && insideExport(tokens, index)),
    ),
    onlyReExports: statements.every(
      (statement) => isWord(statement[0], "export") && statement.some((token) => isWord(token, "from")),
    ),
    topLevelAwait: loadedCode.some((code) =>
      code.some((token) => token.depth === 0 && isWord(token, "await")),
    ),
    environmentAtLoad: loadedCode.some((code) =>
      code.some(
        (token, index) =>
          token.depth === 0 &&
          isWord(token, "process") &&
          code[index + 1]?.text === "." &&
          isWord(code[index + 2], "env"),
      ),
    ),
    looseStatements: statements
      .map((statement) => statement[0]?.text ?? "")
      .filter((word) => !declarations.test(word)),
  };
}

function importsOf(tokens: readonly Token[]): readonly string[] {
  return tokens.flatMap((token, index) => {
    if (token.kind !== "string") return [];
    const previous = tokens[index - 1];
    const isSource =
      // `import "x"`, `import … from "x"` and `export … from "x"`; a property or variable named `from` has no string after it.
      isWord(previous, "from") ||
      isWord(previous, "import") ||
      (previous?.text === "(" && isImportCall(tokens, index - 2));
    return isSource ? [token.text] : [];
  });
}

function isImportCall(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index];
  return (
    (isWord(token, "import") || isWord(token, "require")) &&
    tokens[index - 1]?.text !== "." &&
    tokens[index + 1]?.text === "("
  );
}

/** Whether the token stands in the braces of `export { … }`. */
function insideExport(tokens: readonly Token[], index: number): boolean {
  for (let at = index; at >= 0; at -= 1) {
    if (tokens[at]?.text === "{") return isWord(tokens[at - 1], "export") || isWord(tokens[at - 1], "type");
  }
  return false;
}

function statementsOf(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const statements: Token[][] = [];
  for (const token of tokens) {
    const begins = token.column === 1 && !(token.kind === "mark" && /^[)\]}>]$/.test(token.text));
    if (begins) statements.push([]);
    statements.at(-1)?.push(token);
  }
  return statements;
}

/** What an arrow function does is not done at load. */
function beforeFirstArrow(statement: readonly Token[]): readonly Token[] {
  const arrow = statement.findIndex((token) => token.text === "=>");
  return arrow === -1 ? statement : statement.slice(0, arrow);
}

function isWord(token: Token | undefined, text: string): boolean {
  return token?.kind === "word" && token.text === text;
}
