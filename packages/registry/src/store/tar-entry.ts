import type { TarEntry, TarHeader } from "../tar/index.ts";

// What an archive of ours says of each entry, whoever made it and when.
const common = { uid: 0, gid: 0, mtime: 0 } satisfies Partial<TarHeader>;

export function directoryEntry(path: string): TarEntry {
  return { header: { ...common, path, kind: "directory", mode: 0o755, size: 0 } };
}

export function fileEntry(path: string, size: number, body: AsyncIterable<Uint8Array>): TarEntry {
  return { header: { ...common, path, kind: "file", mode: 0o644, size }, body };
}

export function textEntry(path: string, bytes: Uint8Array): TarEntry {
  return { header: { ...common, path, kind: "file", mode: 0o644, size: bytes.byteLength }, body: bytes };
}
