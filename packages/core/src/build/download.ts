import { createHash } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ContentError,
  fetchUrl,
  nodeFetchTransport,
  type CallOptions,
  type RegistryClientOptions,
} from "@undocked/registry";
import { directoryTree } from "../context/directory-tree.ts";
import type { FileContent } from "../context/source-tree.ts";
import type { WrittenFile } from "../rootfs/copy-sources.ts";

/** Fetches what ADD names by URL, and has it until it is disposed of. */
export interface Downloads extends AsyncDisposable {
  /**
   * A file of the web, with mode 0600 and the time that the server tells, else 1970.
   *
   * @param checksum - `algorithm:hex` that its bytes must have
   * @throws {ContentError} `DIGEST_MISMATCH`
   * @throws {DownloadError} `DOWNLOAD_FAILED`, and as `fetchUrl`
   */
  fetch(url: string, checksum: string | undefined): Promise<WrittenFile>;
}

export function downloads(
  call: CallOptions,
  { transport: given, ca }: Pick<RegistryClientOptions, "transport" | "ca"> = {},
): Downloads {
  const transport = given ?? nodeFetchTransport();
  const tls = ca === undefined ? {} : { tls: { ca } };
  const directories: string[] = [];
  return {
    async fetch(url, checksum) {
      const directory = await mkdtemp(join(tmpdir(), "undocked-"));
      directories.push(directory);
      const { body, modified } = await fetchUrl(url, { ...call, ...tls, transport });
      const content = await spooled(body, directory, checksum);
      return { name: nameOf(url), content, mode: 0o600, mtime: modified ?? 0 };
    },
    async [Symbol.asyncDispose]() {
      if (given === undefined) transport.close?.();
      for (const directory of directories) await rm(directory, { recursive: true, force: true });
    },
  };
}

async function spooled(
  body: AsyncIterable<Uint8Array>,
  directory: string,
  checksum: string | undefined,
): Promise<FileContent> {
  const [algorithm = "sha256"] = checksum?.split(":", 1) ?? [];
  const hash = createHash(algorithm);
  const file = await open(join(directory, "file"), "wx", 0o600);
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  const digest = `${algorithm}:${hash.digest("hex")}`;
  if (checksum !== undefined && digest !== checksum) {
    throw new ContentError("DIGEST_MISMATCH", `digest mismatch ${digest}: ${checksum}`, {
      hint: "The file is not the one that the checksum was made of: look at it, then correct --checksum.",
    });
  }
  return directoryTree(directory).open("/file");
}

/** The last part of the path, decoded; neither a redirect nor a header of the answer renames it. */
function nameOf(url: string): string {
  const name = decoded(new URL(url).pathname)
    .split("/")
    .findLast((part) => part !== "");
  return name === undefined || name === "." || name === ".." || name.includes("\0") ? "__unnamed__" : name;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
