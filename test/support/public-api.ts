import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { tokensOf } from "./tokens.ts";

/** The exported declarations that an entry of a package gives, sorted by name, without comments. */
export function publicApi(entry: string, read: (path: string) => string = readDeclarations): string {
  const exports = [...exportsOf(entry, read)].sort(([a], [b]) => (a < b ? -1 : 1));
  return exports.map(([, text]) => `${text}\n`).join("\n");
}

function readDeclarations(path: string): string {
  return readFileSync(path, "utf8");
}

/** By the name under which it is exported: the declaration's text. Overloads are joined. */
function exportsOf(file: string, read: (path: string) => string): Map<string, string> {
  const found = new Map<string, string>();
  const add = (name: string, text: string): void => {
    const known = found.get(name);
    found.set(name, known === undefined || known === text ? text : `${known}\n${text}`);
  };
  const source = read(file);
  const declared = new Map<string, string>();
  for (const statement of statementsOf(source)) {
    const from = /^export (?:type )?(\*|\{[^}]*\}) from "([^"]+)";$/s.exec(statement);
    const local = /^export (?:type )?(\{[^}]*\});$/s.exec(statement);
    const declaration =
      /^(export )?(?:default )?(?:declare )?(?:abstract )?(?:class|const|let|function|interface|type) ([\w$]+)/.exec(
        statement,
      );
    if (from?.[1] !== undefined && from[2] !== undefined) {
      const inner = exportsOf(pathOf(file, from[2]), read);
      if (from[1] === "*") for (const [name, text] of inner) add(name, text);
      else for (const { name, as } of namesIn(from[1])) add(as, renamed(inner.get(name), name, as));
    } else if (local?.[1] !== undefined) {
      for (const { name, as } of namesIn(local[1])) add(as, renamed(declared.get(name), name, as));
    } else if (declaration?.[2] !== undefined) {
      declared.set(declaration[2], statement);
      if (declaration[1] !== undefined) add(declaration[2], statement);
    }
  }
  return found;
}

function statementsOf(source: string): readonly string[] {
  const bare = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const lines = bare.split("\n");
  const starts = tokensOf(bare)
    .filter((token) => token.column === 1 && !/^[)\]}>]$/.test(token.text))
    .map(({ line }) => line);
  return [...new Set(starts)].map((start, index, all) =>
    lines
      .slice(start - 1, (all[index + 1] ?? lines.length + 1) - 1)
      .filter((line) => line.trim() !== "")
      .join("\n"),
  );
}

function namesIn(braces: string): readonly { readonly name: string; readonly as: string }[] {
  return braces
    .slice(1, -1)
    .split(",")
    .map((part) => part.trim().replace(/^type /, ""))
    .filter((part) => part !== "")
    .map((part) => {
      const [name = "", as = name] = part.split(" as ");
      return { name, as };
    });
}

function renamed(text: string | undefined, name: string, as: string): string {
  if (text === undefined) return `export { ${name} as ${as} }`;
  return name === as ? text : `// exported as ${as}\n${text}`;
}

function pathOf(file: string, specifier: string): string {
  return resolve(dirname(file), specifier.replace(/\.(?:ts|js)$/, ".d.ts"));
}
