/** The code in a Markdown text that is marked as of a language, in order. */
export function codeFences(markdown: string, language: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...markdown.matchAll(fence)].map(([, code = ""]) => code);
}
