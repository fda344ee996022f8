import { looksLikeElf } from "./read.ts";

/** What a file is by its first bytes. */
export type FileFormat =
  | "elf"
  | "script"
  | "script-with-bom"
  | "script-indented"
  | "empty"
  | "mach-o"
  | "java-class"
  | "pe"
  | "wasm"
  | "zip"
  | "archive"
  | "llvm-bitcode"
  | "gzip"
  | "zstd"
  | "text"
  | "data";

/** How many first bytes {@link formatOf} looks at. */
export const formatHeadSize = 512;

/** Magic bytes, in hexadecimal as they lie in the file. */
const magics: readonly (readonly [magic: string, format: FileFormat])[] = [
  ["2321", "script"],
  ["efbbbf2321", "script-with-bom"],
  ["feedface", "mach-o"],
  ["feedfacf", "mach-o"],
  ["cefaedfe", "mach-o"],
  ["cffaedfe", "mach-o"],
  ["4d5a", "pe"],
  ["0061736d", "wasm"],
  ["504b0304", "zip"],
  ["504b0506", "zip"],
  ["213c617263683e0a", "archive"],
  ["4243c0de", "llvm-bitcode"],
  ["dec0170b", "llvm-bitcode"],
  ["bcc0de", "llvm-bitcode"],
  ["1f8b", "gzip"],
  ["28b52ffd", "zstd"],
];

/** Reads the first bytes of a file, {@link formatHeadSize} or all if it has fewer. */
export function formatOf(head: Uint8Array): FileFormat {
  if (head.byteLength === 0) return "empty";
  if (looksLikeElf(head)) return "elf";
  const hex = Buffer.from(head.subarray(0, 8)).toString("hex");
  const magic = magics.find(([start]) => hex.startsWith(start));
  if (magic !== undefined) return magic[1];
  // A Mach-O for several machines counts them in four bytes; a Java class has its version there, 45 or more.
  if (hex.startsWith("cafebabe")) return (head[6] ?? 0) * 256 + (head[7] ?? 0) < 45 ? "mach-o" : "java-class";
  if (!isText(head)) return "data";
  return /^\s+#!/.test(Buffer.from(head).toString("latin1")) ? "script-indented" : "text";
}

function isText(head: Uint8Array): boolean {
  return head.every(
    (byte) => (byte >= 0x20 && byte !== 0x7f) || (byte >= 0x07 && byte <= 0x0d) || byte === 0x1b,
  );
}
