import { UsageError } from "./args.ts";
import type { Io } from "./io.ts";

/**
 * All of standard input, as UTF-8.
 *
 * @param what - what it is read for: `a password`
 * @throws {UsageError} for more than `limit` bytes
 */
export async function readStandardInput({ stdin }: Io, what: string, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stdin ?? []) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > limit) throw new UsageError(`What standard input has is too long for ${what}.`);
  }
  return Buffer.concat(chunks).toString("utf8");
}
