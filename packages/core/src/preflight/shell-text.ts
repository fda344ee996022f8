// What a shell does itself (POSIX.1-2017, XCU 2.9.1 and 2.14, and its reserved words): no file has to be there for it.
const shellWords = new Set(
  ". : ! [ [[ { } alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until wait while".split(
    " ",
  ),
);

/** The first program that the text of a shell would start, as far as can be told without being a shell. */
export interface ShellProgram {
  readonly words: readonly string[];
  /** The variable that it comes from, which the run-time environment may set anew. */
  readonly variable?: string;
  /** The text is one plain command: if the program does not start, nothing does. */
  readonly plain: boolean;
}

/** `undefined` where a shell would have to be asked: quotes, expansions, operators, built-in commands. */
export function shellProgram(
  text: string,
  environment: ReadonlyMap<string, string>,
): ShellProgram | undefined {
  const found = /^\s*(?:exec\s+)?"?\$(?:\{(\w+)\}|(\w+))"?(?=\s|$)/.exec(text);
  const variable = found?.[1] ?? found?.[2];
  if (variable === undefined) return firstCommand(text);
  const value = environment.get(variable);
  const command = value === undefined ? undefined : firstCommand(value);
  return command === undefined ? undefined : { ...command, variable };
}

function firstCommand(text: string): ShellProgram | undefined {
  const words = text.trim().split(/\s+/);
  const start = words.findIndex((word) => word !== "exec" && !/^\w+=[^"'`$\\;&|]*$/.test(word));
  const first = words[start];
  // `exec -a NAME` is not followed.
  if (first === undefined || !/^[\w./+@%:,][\w./+@%:,-]*$/.test(first)) return undefined;
  // exec starts a file of that name even so.
  if (shellWords.has(first) && !words.slice(0, start).includes("exec")) return undefined;
  const plain = !/[;&|<>()`$"'\\*?[\]#~={}!\n]/.test(text);
  return { words: plain ? words.slice(start) : [first], plain };
}
