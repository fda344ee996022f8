import { createHash } from "node:crypto";
import type { Entry } from "../layer/entry.ts";
import { layerEncoding } from "../layer/encoding.ts";
import { layerMembers } from "../layer/layer-tar.ts";
import type { MakeLayerOptions } from "../layer/make-layer.ts";
import type { TarHeader } from "@undocked/registry/tar";

/** Names for a layer that is to be made, found without reading a file. */
export interface LayerKeys {
  /** Of everything but the files' bytes: layers of one shape may be the same. */
  readonly shape: string;
  /** Of everything: layers of one key are the same. Absent where a file has no identity. */
  readonly inputs?: string;
}

export function layerKeys(entries: Iterable<Entry>, options: MakeLayerOptions): LayerKeys {
  const format = layerEncoding(options.compression).name;
  const shape = createHash("sha256").update(`shape ${format}\n`);
  const inputs = createHash("sha256").update(`inputs ${format}\n`);
  let isKnown = true;
  let lines: string[] = [];
  let identities: string[] = [];
  const flush = (): void => {
    const text = lines.join("");
    shape.update(text);
    inputs.update(text).update(identities.join(""));
    lines = [];
    identities = [];
  };
  for (const { header, content } of layerMembers(entries, options)) {
    lines.push(headerLine(header));
    if (content !== undefined) {
      const { identity } = content;
      isKnown &&= identity !== undefined;
      identities.push(`${identity ?? ""}\n`);
    }
    if (lines.length === BATCH) flush();
  }
  flush();
  return {
    shape: `shape ${shape.digest("hex")}`,
    ...(isKnown ? { inputs: `inputs ${inputs.digest("hex")}` } : {}),
  };
}

/** Whether each file still has its identity: one that turns out to be another when it is read has none any more. */
export function areToldApart(entries: readonly Entry[]): boolean {
  return entries.every((entry) => entry.kind !== "file" || entry.content.identity !== undefined);
}

/** Lines hashed in one go; a call for each would cost more than the hashing. */
const BATCH = 1000;

function headerLine(header: TarHeader): string {
  const { path, kind, mode, uid, gid, mtime, size, linkTarget, deviceMajor, deviceMinor, xattrs } = header;
  const rest =
    linkTarget === undefined && deviceMajor === undefined && xattrs === undefined
      ? []
      : [linkTarget ?? null, deviceMajor ?? null, deviceMinor ?? null, attributesOf(xattrs)];
  return `${JSON.stringify([path, kind, mode, uid, gid, mtime, size, ...rest])}\n`;
}

function attributesOf(xattrs: TarHeader["xattrs"]): unknown {
  return Object.entries(xattrs ?? {})
    .map(([name, value]) => [name, Buffer.from(value).toString("base64")])
    .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
}
