import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes a file that other processes see whole or not at all.
 *
 * @param durability - `scratch` for what is checked when it is read, and may be lost when the power is
 */
export async function writeWhole(
  path: string,
  bytes: Uint8Array | string,
  durability: "synced" | "scratch",
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(beside, "wx");
    try {
      await file.writeFile(bytes);
      if (durability === "synced") await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
