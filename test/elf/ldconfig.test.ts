import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { endianness } from "node:os";
import { expect, test } from "vitest";
import { parseLdSoCache } from "@undocked/core/elf";
import { findProgram } from "../support/tools.ts";

const ldconfig = findProgram("ldconfig");
const cache = "/etc/ld.so.cache";

test.skipIf(ldconfig === undefined || !existsSync(cache))(
  "this machine's cache is as ldconfig prints it",
  () => {
    const printed = execFileSync(ldconfig!, ["-p"], { encoding: "utf8" })
      .split("\n")
      .flatMap((line) => {
        const [, name, path] = /^\t(\S+) \(.*\) => (\S+)$/.exec(line) ?? [];
        return name === undefined ? [] : [`${name} ${path}`];
      });
    const endian = endianness() === "LE" ? "little" : "big";
    const entries = parseLdSoCache(readFileSync(cache), endian) ?? [];
    expect(entries.map(({ name, path }) => `${name} ${path}`)).toEqual(printed);
    expect(entries.length).toBeGreaterThan(0);
  },
);
