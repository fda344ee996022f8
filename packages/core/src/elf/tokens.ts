/** What the tokens of RPATH, RUNPATH and DT_NEEDED stand for. */
export interface Tokens {
  /** The object's directory. */
  readonly ORIGIN: string;
  readonly LIB: string;
  readonly PLATFORM: string;
}

/** As glibc: `$NAME` and `${NAME}`; others stay as they are (elf/dl-load.c, `_dl_dst_substitute`). */
export function expandTokens(text: string, tokens: Tokens): string {
  return text.replace(
    /\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))/g,
    (all, braced: keyof Tokens | undefined, bare: keyof Tokens | undefined) => {
      const name = braced ?? bare;
      return name === undefined ? all : tokens[name];
    },
  );
}
