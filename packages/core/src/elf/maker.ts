import { languageOf, readComment } from "./comment.ts";
import type { DynamicTable } from "./dynamic.ts";
import type { Linkage } from "./linkage.ts";
import type { Notes } from "./notes.ts";
import type { ElfHeader } from "./read.ts";
import { constantsFirst, holdsAny, writtenParts } from "./search.ts";
import { readSections, type Section } from "./sections.ts";
import type { Window } from "./window.ts";

/** What made a program, where that shows without reading all of it; each is linked statically by other means, or not at all. */
export type Maker = "go" | "node" | "bun" | "deno" | "dotnet" | "graalvm" | "rust" | "zig" | "c++" | "c";

/** What is known of the file already. */
export interface KnownOfProgram {
  readonly linkage: Linkage;
  readonly notes: Notes;
  readonly dynamic?: DynamicTable;
}

/**
 * Go and Node's postject leave a note, Bun and Deno a mark at the file's end, in whatever they are. The others are told apart where
 * somebody is to link them anew: in dynamic programs.
 */
export async function makerOf(
  file: Window,
  header: ElfHeader,
  { linkage, notes, dynamic }: KnownOfProgram,
): Promise<Maker | undefined> {
  if (notes.owners.includes("Go")) return "go";
  if (notes.owners.includes("NODE_SEA_BLOB")) return "node";
  const carrier = await carrierOf(file);
  if (carrier !== undefined || linkage !== "dynamic") return carrier;
  const sections = await readSections(file, header);
  return (
    (await runtimeOf(file, header, sections, dynamic)) ??
    (await compilerOf(file, header, sections, dynamic?.needed ?? []))
  );
}

const trailerSize = 4096;
/** Runtimes that carry a script at the end of their own file, and how they find it there. */
const trailers: readonly (readonly [mark: string, maker: Maker])[] = [
  ["\n---- Bun! ----\n", "bun"],
  ["d3n0l4nd", "deno"],
];

async function carrierOf(file: Window): Promise<Maker | undefined> {
  const start = Math.max(0, file.size - trailerSize);
  const view = await file.view(start, file.size - start);
  const end = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return trailers.find(([mark]) => end.includes(mark))?.[1];
}

/** Sections that only one of the runtimes has: of a native image its heap, of .NET's native AOT its code. */
const runtimeSections: ReadonlyMap<string, Maker> = new Map([
  [".svm_heap", "graalvm"],
  ["__managedcode", "dotnet"],
]);
/** What the runtimes let debuggers find, among the dynamic names. */
const runtimeSymbols: readonly (readonly [maker: Maker, names: readonly Buffer[]])[] = [
  ["graalvm", ["__svm_version_info"].map(dynamicName)],
  ["dotnet", ["DotNetRuntimeInfo", "DotNetRuntimeDebugHeader"].map(dynamicName)],
];
/** By which .NET's host finds what is bundled with it: SHA-256 of `.net core bundle` and a line feed. */
const bundleSignature = Buffer.from(
  "8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae",
  "hex",
);
const namesLimit = 1 << 18;
const dataLimit = 4 << 20;

/** GraalVM and .NET come with libraries of C and C++, so that their `.comment` says nothing of them. */
async function runtimeOf(
  file: Window,
  header: ElfHeader,
  sections: readonly Section[],
  dynamic: DynamicTable | undefined,
): Promise<Maker | undefined> {
  const bySection = sections
    .map(({ name }) => runtimeSections.get(name))
    .find((maker) => maker !== undefined);
  if (bySection !== undefined) return bySection;
  const strings = dynamic?.strings;
  const names = strings === undefined ? [] : [{ offset: strings.offset, fileSize: strings.size }];
  for (const [maker, symbols] of runtimeSymbols) {
    if (await holdsAny(file, names, symbols, namesLimit)) return maker;
  }
  return (await holdsAny(file, writtenParts(header), [bundleSignature], dataLimit)) ? "dotnet" : undefined;
}

function dynamicName(name: string): Buffer {
  return Buffer.from(`\0${name}\0`);
}

/** Where the standard library's panics say that they come from; `strip` leaves it, and takes `.comment` if it is told to. */
const rustPath = Buffer.from("/library/std/src/");
const constantsLimit = 8 << 20;

async function compilerOf(
  file: Window,
  header: ElfHeader,
  sections: readonly Section[],
  needed: readonly string[],
): Promise<Maker | undefined> {
  const comment = await readComment(file, sections);
  const language = comment === undefined ? undefined : languageOf(comment, needed);
  if (language === "rust" || language === "zig") return language;
  if (comment === undefined) {
    if (await holdsAny(file, constantsFirst(header), [rustPath], constantsLimit)) return "rust";
  }
  // Whoever links libstdc++ into the program has its tables of exceptions there.
  const isCpp =
    needed.some((name) => /^lib(?:std)?c\+\+\.so/.test(name)) ||
    (language === "c" && sections.some(({ name }) => name === ".gcc_except_table"));
  return isCpp ? "c++" : language;
}
