import { ElfError } from "./elf-error.ts";
import type { ElfFacts } from "./elf.ts";
import { glibcClosure } from "./glibc.ts";
import type { LibraryRoot } from "./library-root.ts";
import type { Closure, ClosureOptions, ClosureRequest } from "./loaded-object.ts";
import { muslClosure } from "./musl.ts";

/**
 * Follows a dynamic program's libraries through a root file system as its own loader would, by reading alone. What a program opens later, by
 * dlopen, is not in it.
 *
 * `path` is the program's as the kernel was given it, absolute. A program without interpreter needs nothing.
 */
export async function closureOf(
  root: LibraryRoot,
  path: string,
  options: ClosureOptions = {},
): Promise<Closure> {
  const file = root.resolve(path);
  const elf = file?.kind === "file" ? await root.elf(file) : undefined;
  if (file === undefined || elf === undefined) {
    return failed(
      "PROGRAM_MISSING",
      `${path} is not there, or no ELF file.`,
      "Copy the program to that path.",
    );
  }
  if (elf.interpreter === undefined && options.interpreter === undefined) {
    return { loader: "none", objects: [], problems: [] };
  }
  const found = await interpreterOf(root, elf, options);
  if ("problems" in found) return found;
  const request: ClosureRequest = { program: { path, file, elf }, interpreter: found, options };
  try {
    return await (found.elf.loader?.kind === "musl" ? muslClosure : glibcClosure)(root, request);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    return failed(error.code, error.message, "Link the program with fewer libraries, or statically.");
  }
}

async function interpreterOf(
  root: LibraryRoot,
  { interpreter: own = "", machine, class: width }: ElfFacts,
  { workingDirectory = "/", interpreter: path = own }: ClosureOptions,
): Promise<ClosureRequest["interpreter"] | Closure> {
  const file = root.resolve(path.startsWith("/") ? path : `${workingDirectory}/${path}`);
  if (file === undefined) {
    return failed(
      "INTERPRETER_MISSING",
      `The program needs the interpreter ${path}, which is not in the image.`,
      path.includes("ld-musl-")
        ? "Use a base with musl, such as alpine, or link statically."
        : "Use a base with glibc, such as debian, or link statically.",
    );
  }
  const elf = file.kind === "file" ? await root.elf(file) : undefined;
  if (elf === undefined || elf.machine !== machine || elf.class !== width) {
    return failed(
      "INTERPRETER_INVALID",
      `The interpreter ${path} is no ELF file for the program's machine.`,
      "Use a base for the program's platform.",
    );
  }
  const damage = interpreterDamage(elf);
  if (damage !== undefined) {
    const hint = "Copy the interpreter again, or use the base's own.";
    return failed("INTERPRETER_DAMAGED", `The interpreter ${path} ${damage}.`, hint);
  }
  return { path, file, elf };
}

/** Why the kernel, which has let the old program go by then, starts no interpreter from a file; `undefined`: it does. */
function interpreterDamage({ type, wholeness, mapping }: ElfFacts): string | undefined {
  if (type !== "exec" && type !== "dyn") return "is neither a program nor a library";
  if (wholeness === "truncated") return "ends before what its headers promise";
  if (wholeness === "debug-only") return "has a loader's debug information and not its code";
  return mapping?.severity === "error" ? `cannot start: ${mapping.message.replace(/\.$/, "")}` : undefined;
}

function failed(code: string, message: string, hint: string): Closure {
  return { loader: "none", objects: [], problems: [{ code, severity: "error", message, hint }] };
}
