import { chown, lchown, link, mkdir, open, symlink } from "node:fs/promises";
import { join } from "node:path";
import { walkTree, type FileContent, type SourceNode } from "../context/source-tree.ts";
import type { RootFs } from "../rootfs/rootfs.ts";
import type { Owner } from "./isolation.ts";

/**
 * Writes an image's files into an empty directory of our own. What the layers' links and names lead to was settled in memory:
 * every directory that is written into is one that was made here, so no link is ever followed, of the image's or of the host's. Devices,
 * FIFOs and set-uid bits are left out.
 *
 * @param ownerOf - whose a file is to be; `undefined`: whoever runs this
 */
export async function unpack(
  root: RootFs,
  directory: string,
  ownerOf: (node: SourceNode) => Owner | undefined,
): Promise<void> {
  const nodes = [...walkTree(root, "/")];
  for (const { path, node } of nodes) if (node.kind === "file") root.open(path).expect?.();
  const links = new Map<string, string>();
  for (const { path, node } of nodes) {
    const place = join(directory, path);
    const owner = ownerOf(node);
    switch (node.kind) {
      case "directory":
        await mkdir(place, { mode: (node.mode & 0o777) | 0o700 });
        if (owner !== undefined) await chown(place, owner.uid, owner.gid);
        break;
      case "symlink":
        await symlink(node.linkTarget ?? "", place);
        if (owner !== undefined) await lchown(place, owner.uid, owner.gid);
        break;
      case "file": {
        const first = node.linkGroup === undefined ? undefined : links.get(node.linkGroup);
        if (first !== undefined) {
          await link(first, place);
          break;
        }
        if (node.linkGroup !== undefined) links.set(node.linkGroup, place);
        await write(place, root.open(path), node.mode & 0o777, owner);
        break;
      }
      case "character-device":
      case "block-device":
      case "fifo":
      case "socket":
        break;
    }
  }
}

async function write(
  place: string,
  content: FileContent,
  mode: number,
  owner: Owner | undefined,
): Promise<void> {
  const file = await open(place, "wx", 0o600);
  try {
    for await (const chunk of content.stream()) await file.writeFile(chunk);
    await file.chmod(mode);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
  } finally {
    await file.close();
  }
}
