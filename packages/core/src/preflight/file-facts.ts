import type { Platform } from "@undocked/registry";
import type { TarMember } from "@undocked/registry/tar";
import { z } from "zod";
import { bytesSource, type ByteSource } from "../elf/byte-source.ts";
import { ElfError } from "../elf/elf-error.ts";
import { readElf, type ElfFacts, type ElfFault } from "../elf/elf.ts";
import { formatHeadSize, formatOf, type FileFormat } from "../elf/format.ts";
import { elfReport, foreignReport, type ExecutableReport } from "../elf/inspect.ts";
import { looksLikeElf } from "../elf/read.ts";
import type { FactCollector } from "../rootfs/index-layer.ts";
import { spooledSource } from "./spooled-source.ts";

/** What the kernel and the loader would read of a file. JSON: an index keeps it. */
export interface FileFacts {
  readonly format: FileFormat;
  /** The first {@link SHEBANG_SIZE} bytes, as Latin-1; of scripts. */
  readonly head?: string;
  /** Of ELF files whose headers could be read. */
  readonly elf?: ElfFacts;
  /** Why the headers of an ELF file could not be read. */
  readonly fault?: ElfFault;
}

/** The kernel's buffer for the line of a script (BINPRM_BUF_SIZE), since Linux 5.1. */
export const SHEBANG_SIZE = 256;

/** Reads the facts of a file. */
export async function fileFacts(source: ByteSource): Promise<FileFacts> {
  return factsFrom(await source.read(0, Math.min(formatHeadSize, source.size)), source);
}

/** Collects, while a layer is indexed, the facts of ELF files, of scripts, and of what has an x bit. */
export const executableFacts: FactCollector = {
  id: "executables 3",
  collect(_path, file) {
    const { header, bytes } = file;
    const mayStart = (header.mode & 0o111) !== 0 || bytes === undefined || beginsAsProgram(bytes);
    return mayStart ? programFacts(file) : undefined;
  },
};

/** ELF files and scripts begin so. */
function beginsAsProgram(bytes: Uint8Array): boolean {
  return looksLikeElf(bytes) || (bytes[0] === 0x23 && bytes[1] === 0x21);
}

async function programFacts({ header, body, bytes }: TarMember): Promise<FileFacts | undefined> {
  const found = await (bytes === undefined
    ? streamedFacts(body, header.size)
    : fileFacts(bytesSource(bytes)));
  const isPlain = found.format !== "elf" && found.head === undefined;
  return isPlain && (header.mode & 0o111) === 0 ? undefined : found;
}

/** The facts of bytes that come but once; of what is not ELF only the start is taken. */
export async function streamedFacts(body: AsyncIterable<Uint8Array>, size: number): Promise<FileFacts> {
  const chunks = body[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  try {
    while (head.byteLength < Math.min(formatHeadSize, size)) {
      const { done, value } = await chunks.next();
      if (done === true) break;
      head = head.byteLength === 0 ? value : Buffer.concat([head, value]);
    }
    const start = head.subarray(0, formatHeadSize);
    if (formatOf(start) !== "elf") return await factsFrom(start, undefined);
    const rest = { [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }) };
    await using source = await spooledSource(joined(head, rest), size);
    return await factsFrom(start, source);
  } finally {
    await chunks.return?.();
  }
}

async function* joined(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* rest;
}

async function factsFrom(head: Uint8Array, source: ByteSource | undefined): Promise<FileFacts> {
  const format = formatOf(head);
  if (format === "script") {
    return { format, head: Buffer.from(head.subarray(0, SHEBANG_SIZE)).toString("latin1") };
  }
  if (format !== "elf" || source === undefined) return { format };
  try {
    return { format, elf: await readElf(source) };
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    return { format, fault: { code: error.code, message: error.message } };
  }
}

/** The report that the whole file would give. */
export function reportOf({ format, head, elf, fault }: FileFacts, platform: Platform): ExecutableReport {
  if (elf !== undefined) return elfReport(elf, platform);
  const report = foreignReport(format, Buffer.from(head ?? "", "latin1"), platform);
  if (fault === undefined) return report;
  const hint = "Build or copy the file again: it is damaged.";
  return { ...report, problems: [{ ...fault, severity: "error", hint }] };
}

/** `undefined`: it is none. */
export function parseFileFacts(value: unknown): FileFacts | undefined {
  return factsSchema.safeParse(value).data;
}

const text = z.string().exactOptional();
const fault: z.ZodType<ElfFault> = z.object({ code: z.string(), message: z.string() });

const elfSchema: z.ZodType<ElfFacts> = z.object({
  class: z.union([z.literal(32), z.literal(64)]),
  endian: z.enum(["little", "big"]),
  machine: z.number(),
  type: z.enum(["rel", "exec", "dyn", "core", "other"]),
  osAbi: z.number(),
  flags: z.number(),
  entry: z.string(),
  linkage: z.enum([
    "static",
    "static-pie",
    "dynamic",
    "broken",
    "packed",
    "shared",
    "loader",
    "not-executable",
  ]),
  wholeness: z.enum(["whole", "debug-only", "truncated"]),
  mapping: z
    .object({
      code: z.enum(["EXECUTABLE_NOT_LOADABLE", "EXECUTABLE_NO_ENTRY"]),
      severity: z.enum(["error", "warning"]),
      message: z.string(),
    })
    .exactOptional(),
  interpreter: text,
  hasDynamic: z.boolean(),
  needed: z.array(z.string()),
  soname: text,
  rpath: text,
  runpath: text,
  flags1: z.number(),
  filters: z.array(z.object({ name: z.string(), required: z.boolean() })).exactOptional(),
  versionNeeds: z.array(
    z.object({
      library: z.string(),
      versions: z.array(z.object({ name: z.string(), weak: z.boolean() })),
    }),
  ),
  versionDefinitions: z.array(z.string()),
  loader: z
    .discriminatedUnion("kind", [
      z.object({ kind: z.literal("glibc"), directories: z.array(z.string()) }),
      z.object({ kind: z.literal("musl"), pathFile: z.string() }),
    ])
    .exactOptional(),
  notes: z.object({
    abi: z.object({ os: z.string(), version: text }).exactOptional(),
    x86Level: z.number().exactOptional(),
    dlopen: z.array(
      z.object({
        sonames: z.array(z.string()),
        priority: z.enum(["required", "recommended", "suggested"]),
        feature: text,
      }),
    ),
    owners: z.array(z.string()),
  }),
  maker: z
    .enum(["go", "node", "bun", "deno", "dotnet", "graalvm", "rust", "zig", "c++", "c"])
    .exactOptional(),
  go: z.record(z.string(), z.string()).exactOptional(),
  arm: z
    .object({ level: z.number().exactOptional(), float: z.enum(["soft", "hard", "any"]).exactOptional() })
    .exactOptional(),
  symbols: z.object({ wanted: z.array(z.string()), given: z.string() }).exactOptional(),
  busybox: z.boolean().exactOptional(),
  opensNss: z.boolean().exactOptional(),
  faults: z.array(fault),
});

const factsSchema: z.ZodType<FileFacts> = z.object({
  format: z.enum([
    "elf",
    "script",
    "script-with-bom",
    "script-indented",
    "empty",
    "mach-o",
    "java-class",
    "pe",
    "wasm",
    "zip",
    "archive",
    "llvm-bitcode",
    "gzip",
    "zstd",
    "text",
    "data",
  ]),
  head: text,
  elf: elfSchema.exactOptional(),
  fault: fault.exactOptional(),
});
