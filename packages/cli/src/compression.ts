import type { LayerCompression } from "@undocked/core";
import { UsageError } from "./args.ts";

/** Reads `gzip`, `zstd` or `none`, the first two with a level if wanted: `gzip:9`. */
export function parseCompression(text: string | undefined): LayerCompression | undefined {
  if (text === undefined || text === "none" || text === "gzip" || text === "zstd") return text;
  const [, type, level] = /^(gzip|zstd):(\d{1,2})$/.exec(text) ?? [];
  if (type === "gzip" || type === "zstd") return { type, level: Number(level) };
  throw new UsageError(`--compression takes gzip, zstd or none, or gzip:LEVEL, not ${JSON.stringify(text)}.`);
}
