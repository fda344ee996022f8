import type { Platform } from "@undocked/registry";
import { baseName } from "../context/path.ts";
import type { ByteSource } from "../elf/byte-source.ts";
import { fileFacts } from "../preflight/file-facts.ts";
import { preflight } from "../preflight/preflight.ts";
import type { Proof } from "../preflight/proof.ts";
import { emptyRootFs } from "../rootfs/rootfs.ts";

/** Says of a file whether it would start in an image that has nothing else, where everybody may execute it. */
export async function checkFile(name: string, source: ByteSource, platform: Platform): Promise<Proof> {
  const path = `/${baseName(name)}`;
  const { size } = source;
  const root = emptyRootFs();
  root.put(
    path,
    { kind: "file", mode: 0o755, uid: 0, gid: 0, mtime: 0, size },
    {
      size,
      facts: await fileFacts(source),
      async *stream() {
        if (size > 0) yield await source.read(0, size);
      },
    },
  );
  return preflight({ Entrypoint: [path] }, root, platform);
}
