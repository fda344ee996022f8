import { expect, test } from "vitest";
import { defaultPlatform } from "@undocked/registry";
import { buildElf, tinyPlatforms } from "../../../../test/support/tiny-elf.ts";
import { bytesSource } from "./byte-source.ts";
import { describeExecutable } from "./describe.ts";
import { inspectExecutable } from "./inspect.ts";

test.each<[file: Uint8Array, sentence: string]>([
  [buildElf({}), "A static program for linux/amd64."],
  [buildElf({ pie: true, platform: tinyPlatforms["linux/s390x"] }), "A static-PIE program for linux/s390x."],
  [
    buildElf({ interpreter: "/lib/ld.so", needed: ["a.so", "b.so"] }),
    "A dynamically linked program for linux/amd64 that needs the interpreter /lib/ld.so and a.so, b.so.",
  ],
  [buildElf({ soname: "a.so", needed: ["b.so"] }), "A shared library for linux/amd64 that needs b.so."],
  [
    buildElf({ platform: { machine: 43, class: 64, endian: "big", flags: 0, interpreter: "" } }),
    "A static program for 64-bit big-endian SPARC V9.",
  ],
  [buildElf({}).subarray(0, 20), "A damaged ELF file."],
  [Buffer.from("#!/bin/sh -e\n"), "A script for /bin/sh -e."],
  [Buffer.from("#!\n"), "A script for an interpreter that it does not name."],
  [Buffer.from("MZ"), "A PE program, for Windows or .NET."],
])("%#: what it is", async (file, sentence) => {
  const report = await inspectExecutable(bytesSource(file), { platform: defaultPlatform });
  expect(describeExecutable(report)).toBe(sentence);
});
