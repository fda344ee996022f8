import type { RunInstruction } from "../dockerfile/ast.ts";

/** What stands in for a RUN, by the first command in it that is known. */
const REPLACEMENTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^chmod$/, "Set the mode where the file is copied: COPY --chmod=755."],
  [/^(chown|chgrp)$/, "Set the owner where the file is copied: COPY --chown=user:group."],
  [/^(mkdir|install)$/, "Make the directory with WORKDIR, or COPY it."],
  [/^ln$/, "Make the link before the build and COPY the directory that holds it: links are copied as links."],
  [
    /^(apt|apt-get|aptitude|dpkg|apk|yum|dnf|microdnf|tdnf|rpm|zypper|pacman|amazon-linux-extras)$/,
    "Choose a base image that has the packages, or build such a base once where RUN is available.",
  ],
  [
    /^(npm|npx|yarn|pnpm|corepack|bun)$/,
    "Install before the build, and bring node_modules in by COPY or a file mapping.",
  ],
  [
    /^(pip|pip\d+|pipenv|poetry|uv|conda|bundle|gem|composer)$/,
    "Install the dependencies before the build and COPY the directory that they are in.",
  ],
  [/^(curl|wget)$/, "Fetch it with ADD and --checksum, or before the build, and COPY the file."],
  [
    /^(adduser|addgroup|useradd|groupadd|usermod)$/,
    "Use a numeric USER, or COPY an /etc/passwd that has the user.",
  ],
  [/^(rm|rmdir)$/, "Leave the files out: .dockerignore, COPY --exclude, or COPY --from of a stage."],
  [/^(echo|printf|cat|tee)$/, "Write the file with a heredoc: COPY <<EOF /path."],
  [/^(tar|unzip|gunzip)$/, "Unpack it with ADD, which knows tar archives, or before the build."],
];
const OTHER = "Run the command before the build and COPY its result.";

/** Where commands begin that only lead to the next one. */
const SKIPPED =
  /^(sudo|exec|env|time|command|set|cd|export|umask|test|\[|true|:|if|then|else|do|!|\(|\{|[A-Za-z_]\w*=.*)$/;
const OPERANDS = /^(set|cd|export|umask|test|\[|true|:)$/;

/** Says what to do in place of a RUN. */
export function replacementFor({ command, heredocs }: RunInstruction): string {
  const text =
    command.form === "exec"
      ? unwrapShell(command.words)
      : heredocs.length > 0
        ? heredocs.map(({ content }) => content).join("\n")
        : command.text;
  for (const part of text.split(/&&|\|\||[;|\n]/)) {
    const program = programOf(part);
    const found = REPLACEMENTS.find(([pattern]) => pattern.test(program));
    if (found !== undefined) return found[1];
  }
  return OTHER;
}

function unwrapShell(words: readonly string[]): string {
  const [program = "", flag = "", script] = words;
  return /(^|\/)(ba|da|a|z)?sh$/.test(program) && flag.startsWith("-") && script !== undefined
    ? script
    : words.join(" ");
}

function programOf(command: string): string {
  for (const word of command.trim().split(/\s+/)) {
    if (OPERANDS.test(word)) return "";
    if (!SKIPPED.test(word)) return word.replace(/^.*\//, "");
  }
  return "";
}

/** The instruction as it was written, cut to a line's length. */
export function quoteRun(original: string): string {
  const oneLine = original.replaceAll(/\s+/g, " ").trim();
  return oneLine.length > 80 ? `${oneLine.slice(0, 79)}…` : oneLine;
}
