import { expect, test } from "vitest";
import {
  buildElf,
  tinyPlatforms,
  type TinyNote,
  type TinyPlatform,
} from "../../../../test/support/tiny-elf.ts";
import { bytesSource } from "./byte-source.ts";
import { readElf } from "./elf.ts";
import type { Notes } from "./notes.ts";

const dlopen = (json: string): TinyNote => ({
  owner: "FDO",
  type: 0x407c0c0a,
  content: Buffer.from(`${json}\0`),
});

test("the libraries that a program opens itself", async () => {
  const notes = await notesOf([
    dlopen('[{"soname":["libz.so.1","libz.so.2"],"priority":"required","feature":"zip"}]'),
    dlopen('[{"soname":["libm.so.6"]}]'),
  ]);
  expect(notes.dlopen).toEqual([
    { sonames: ["libz.so.1", "libz.so.2"], priority: "required", feature: "zip" },
    { sonames: ["libm.so.6"], priority: "recommended" },
  ]);
});

test.each(["", "[", "{}", '[{"soname":"libz.so"}]', '[{"soname":[1]}]'])(
  "a note of them that says %j says nothing",
  async (json) => {
    expect((await notesOf([dlopen(json)])).dlopen).toEqual([]);
  },
);

test("the oldest Linux, in both byte orders", async () => {
  const little = Uint8Array.of(0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0);
  const big = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1);
  const wanted = { os: "Linux", version: "3.2.1" };
  expect((await notesOf([{ owner: "GNU", type: 1, content: little }])).abi).toEqual(wanted);
  expect(
    (await notesOf([{ owner: "GNU", type: 1, content: big }], tinyPlatforms["linux/s390x"])).abi,
  ).toEqual(wanted);
});

test("a note whose size is a lie ends them", async () => {
  const file = buildElf({
    notes: [
      { owner: "One", type: 1, content: new Uint8Array(4) },
      { owner: "Two", type: 1, content: new Uint8Array(4) },
    ],
  });
  const at = Buffer.from(file).indexOf("Two") - 12;
  new DataView(file.buffer).setUint32(at, 0xffffffff, true);
  expect((await readElf(bytesSource(file))).notes.owners).toEqual(["One"]);
});

async function notesOf(
  notes: readonly TinyNote[],
  platform: TinyPlatform = tinyPlatforms["linux/amd64"],
): Promise<Notes> {
  return (await readElf(bytesSource(buildElf({ notes, platform })))).notes;
}
