import { constants } from "node:fs";
import { copyFile, link } from "node:fs/promises";
import { hasCode } from "./absent.ts";

/** What a file system without hard links answers, such as FAT and some that are shared over a network. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"];

/**
 * Gives a file another name, which nothing has yet: `false` where something has it. A link is there with all its bytes at once;
 * where there are no links it is a copy, of which a reader may see the beginning for a moment.
 *
 * @param linkFile - for tests
 */
export async function placeNew(from: string, to: string, linkFile: typeof link = link): Promise<boolean> {
  try {
    await linkFile(from, to).catch(async (error: unknown) => {
      if (!NO_LINKS.some((code) => hasCode(error, code))) throw error;
      await copyFile(from, to, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}
