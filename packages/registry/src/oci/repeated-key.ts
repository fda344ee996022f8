/**
 * The first key that an object of a JSON text has twice; `undefined` where each has its own.
 *
 * JSON.parse keeps the last of them and other parsers the first, so such a document means two things at once.
 *
 * @param text - valid JSON
 */
export function repeatedKey(text: string): string | undefined {
  // Of each open bracket: the keys of an object, nothing for an array.
  const open: (Set<string> | undefined)[] = [];
  const tokens = /"(?:[^"\\]|\\.)*"|[[\]{}]/g;
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    const [token] = match;
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (isKey(text, tokens.lastIndex)) {
      const key: unknown = JSON.parse(token);
      const keys = open.at(-1);
      if (typeof key !== "string" || keys === undefined) continue;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function isKey(text: string, end: number): boolean {
  let position = end;
  while (/[ \t\r\n]/.test(text.charAt(position))) position += 1;
  return text.charAt(position) === ":";
}
