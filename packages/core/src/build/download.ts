import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  ContentError,
  fetchUrl,
  isDigest,
  nodeFetchTransport,
  type CallOptions,
  type RegistryClientOptions,
} from "@undocked/registry";
import { inScratch, scratchDirectory } from "@undocked/registry/files";
import { directoryTree } from "../context/directory-tree.ts";
import type { FileContent } from "../context/source-tree.ts";
import type { WrittenFile } from "../rootfs/copy-step.ts";
import type { Workspace } from "./workspace.ts";

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

/** @param workspace - keeps what was fetched and has a checksum, so that it is not fetched again */
export function downloads(
  call: CallOptions,
  { content: store, references, offline }: Workspace,
  { transport: given, ca, onEvent }: Pick<RegistryClientOptions, "transport" | "ca" | "onEvent"> = {},
): Downloads {
  const transport = given ?? nodeFetchTransport();
  const shared = {
    ...call,
    ...(ca === undefined ? {} : { tls: { ca } }),
    ...(onEvent === undefined ? {} : { onEvent }),
  };
  const directories: string[] = [];

  async function kept(url: string, checksum: string, directory: string): Promise<WrittenFile | undefined> {
    const { target, modified = 0 } = (await references?.read(referenceName(url, checksum))) ?? {};
    if (target === undefined || !(await store.exists(target, call))) return undefined;
    try {
      return fileOf(url, await spooled(store.fetch(target, call), directory, checksum), modified);
    } catch (error) {
      // Damaged: it is fetched again.
      if (error instanceof ContentError) return undefined;
      throw error;
    }
  }

  async function keep(url: string, checksum: string, { content, mtime }: WrittenFile): Promise<void> {
    if (references === undefined || !isDigest(checksum)) return;
    const target = { mediaType: "application/octet-stream", digest: checksum, size: content.size };
    await store.push(target, content.stream(), call);
    await references.write(referenceName(url, checksum), { target, modified: mtime });
  }

  return {
    async fetch(url, checksum) {
      const directory = await scratchDirectory();
      directories.push(directory);
      const known = checksum === undefined ? undefined : await kept(url, checksum, directory);
      if (known !== undefined) return known;
      if (offline !== undefined) throw offline.missingName(shownUrl(url), "url");
      const { body, modified = 0 } = await fetchUrl(url, { ...shared, transport });
      const file = fileOf(url, await spooled(body, directory, checksum), modified);
      if (checksum !== undefined) await keep(url, checksum, file);
      return file;
    },
    async [Symbol.asyncDispose]() {
      if (given === undefined) transport.close?.();
      for (const directory of directories) await rm(directory, { recursive: true, force: true });
    },
  };
}

function fileOf(url: string, content: FileContent, mtime: number): WrittenFile {
  return { name: nameOf(url), content, mode: 0o600, mtime };
}

/** No image's name: it has a space. */
function referenceName(url: string, checksum: string): string {
  return `${checksum} ${url}`;
}

/** Without what may be secret. */
function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

async function spooled(
  body: AsyncIterable<Uint8Array>,
  directory: string,
  checksum: string | undefined,
): Promise<FileContent> {
  const [algorithm = "sha256"] = checksum?.split(":", 1) ?? [];
  const hash = createHash(algorithm);
  const file = await open(join(directory, "file"), "w", 0o600);
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      await inScratch(file.writeFile(chunk));
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
