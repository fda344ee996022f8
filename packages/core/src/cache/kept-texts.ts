import { createHash } from "node:crypto";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "@undocked/registry";
import { readPlainFile, writeWholeFile } from "@undocked/registry/files";

/** Texts by their keys, all of which can be found out again. */
export interface KeptTexts {
  /** `undefined`: there is none, or it is damaged. */
  read(key: string): Promise<string | undefined>;
  /** What cannot be written is not there. */
  write(key: string, text: string): Promise<void>;
}

/** In a directory that several builds may use at once, and that may vanish. */
export function keptTexts(directory: string): KeptTexts {
  const fileOf = (key: string): string => join(directory, createHash("sha256").update(key).digest("hex"));
  return {
    async read(key) {
      const path = fileOf(key);
      const labelled = (await readPlainFile(path, LARGEST).catch(() => undefined))?.toString("utf8") ?? "";
      const text = labelled.slice(LABEL);
      if (labelled.slice(0, LABEL) !== label(key, text)) return undefined;
      const now = new Date();
      // When it was last of use is what prune() goes by.
      await utimes(path, now, now).catch(() => {});
      return text;
    },
    write: (key, text) =>
      writeWholeFile(fileOf(key), `${label(key, text)}${text}`, { durability: "scratch" }).catch(() => {}),
  };
}

/** More than what a build of a million files has looked at takes, and less than a text can be. */
const LARGEST = 384 * 1024 * 1024;

/** Length of a label: a digest and a line's end. */
const LABEL = 72;

/** Belongs to one key and one text: neither a damaged file nor one that was moved passes for another. */
function label(key: string, text: string): string {
  return `${digestOf(`${key}\n${text}`)}\n`;
}
