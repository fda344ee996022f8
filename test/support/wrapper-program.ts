import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildElf } from "./tiny-elf.ts";
import { lacks } from "./tools.ts";

const text = `
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
  char *slash = strrchr(words[0], '/'), *name = slash ? slash + 1 : words[0];
  if (!strcmp(name, "node")) {
    char head[4] = {0};
    int script = open(words[1], O_RDONLY);
    ssize_t size = script < 0 ? -1 : read(script, head, 4);
    return size < 0 || (size == 4 && !memcmp(head, "\\177ELF", 4));
  }
  char **rest = words + (strcmp(name, "gosu") ? 1 : 2);
  while (*rest && **rest == '-') rest++;
  execvp(*rest, rest);
  return 127;
}
`;

/**
 * A static program that does with its arguments what tini, gosu and node do, as far as a start is concerned, by its own name: it
 * starts another one, or opens a file. Without musl-gcc it is a program that ends at once.
 */
export function wrapperProgram(): Uint8Array {
  if (lacks("musl-gcc")) return buildElf({});
  const directory = mkdtempSync(join(tmpdir(), "undocked-wrapper-"));
  try {
    const [from, to] = [join(directory, "wrapper.c"), join(directory, "wrapper")];
    writeFileSync(from, text);
    execFileSync("musl-gcc", ["-static", "-Os", "-o", to, from], { timeout: 60_000 });
    return readFileSync(to);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
