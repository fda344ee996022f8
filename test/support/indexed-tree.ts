import { spawn } from "node:child_process";
import { executableFacts } from "../../packages/core/src/preflight/file-facts.ts";
import { indexLayer } from "../../packages/core/src/rootfs/index-layer.ts";
import { emptyRootFs, type RootFs } from "../../packages/core/src/rootfs/rootfs.ts";

/** The index of a directory as one layer, with what is known of its programs; no byte of its files can be read. */
export async function indexedTree(directory: string): Promise<RootFs> {
  const root = emptyRootFs();
  const tar = spawn("tar", ["-C", directory, "-c", "."], { stdio: ["ignore", "pipe", "ignore"] });
  root.applyIndex(await indexLayer(tar.stdout, { collector: executableFacts }), {
    open: (path, size) => ({
      size,
      stream() {
        throw new Error(`${path} is in the index, and its bytes are asked for`);
      },
    }),
  });
  return root;
}
