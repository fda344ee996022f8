import type { LayerCompression } from "@undocked/core";
import { UsageError } from "./args.ts";

/** Reads `gzip`, `zstd` or `none`, the first two with a level if wanted: `gzip:9`. */
export function parseCompression(text: string | undefined): LayerCompression | undefined {
  if (text === undefined || text === "none" || text === "gzip" || text === "zstd") return text;
  const [, type, digits] = /^(gzip|zstd):(\d{1,2})$/.exec(text) ?? [];
  const level = Number(digits);
  if (type === "gzip" && level >= 1 && level <= 9) return { type, level };
  if (type === "zstd" && level >= 1 && level <= 19) return { type, level };
  throw new UsageError(
    `--compression takes gzip, zstd or none, or gzip:LEVEL with a level of 1 to 9 or zstd:LEVEL with one of 1 to 19, not ${JSON.stringify(text)}.`,
  );
}
