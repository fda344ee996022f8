import { gzipSync } from "node:zlib";
import { readAll } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { gunzip } from "./gunzip.ts";

const text = Buffer.from("some text of a layer\n".repeat(10_000));
const sound = gzipSync(text);

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

function changed(from: number): Buffer {
  const bytes = Buffer.from(sound);
  bytes.writeUInt8(bytes.readUInt8(bytes.byteLength + from) ^ 1, bytes.byteLength + from);
  return bytes;
}

describe("gives all that came before a fault", () => {
  test.each([
    ["a wrong checksum", changed(-8)],
    ["a wrong length", changed(-4)],
    ["no trailer", sound.subarray(0, -8)],
    ["half a trailer", sound.subarray(0, -3)],
    ["text behind", Buffer.concat([sound, Buffer.from("text")])],
    ["zeros and text behind", Buffer.concat([sound, Buffer.alloc(100), Buffer.from("text")])],
    ["half a header behind", Buffer.concat([sound, Buffer.from("1f8b", "hex")])],
    ["a header and rubbish behind", Buffer.concat([sound, Buffer.from(`1f8b08ff${"78".repeat(30)}`, "hex")])],
    ["a wrong checksum of a first member", Buffer.concat([changed(-8), sound])],
  ])("%s", async (_, bytes) => {
    for (const length of [1, 100, 1_000_000]) {
      const seen: Uint8Array[] = [];
      const reading = (async () => {
        for await (const chunk of gunzip(pieces(bytes, length))) seen.push(chunk);
      })();
      await expect(reading).rejects.toMatchObject({ name: "LayerError", code: "LAYER_INVALID" });
      expect(Buffer.compare(Buffer.concat(seen), text)).toBe(0);
    }
  });
});

describe("reads", () => {
  const name = Buffer.from("name\0");
  test.each([
    ["a name", 0x08, name],
    ["a name and a comment", 0x18, Buffer.concat([name, Buffer.from("comment\0")])],
    ["an extra field", 0x04, Buffer.from("\u0003\0abc")],
    ["an extra field and a name", 0x0c, Buffer.concat([Buffer.from("\u0003\0abc"), name])],
    ["a checksum of the header", 0x02, Buffer.from("1f6d", "hex")],
  ])("a header with %s", async (_, flags, fields) => {
    const header = Buffer.concat([sound.subarray(0, 10), fields]);
    header.writeUInt8(flags, 3);
    if (flags === 0x02) header.writeUInt16LE(crcOf(header.subarray(0, 10)), 10);
    const bytes = Buffer.concat([header, sound.subarray(10)]);
    expect(Buffer.compare(await readAll(gunzip(pieces(bytes, 7))), text)).toBe(0);
  });

  test("members of any size that follow one another", async () => {
    const contents = [0, 1, 70_000, 0, 5, 200_000, 64 * 1024, 64 * 1024 + 1, 3].map((size) =>
      Buffer.alloc(size, `${size}`),
    );
    const bytes = Buffer.concat(contents.map((content) => gzipSync(content)));
    for (const length of [1, 1000, 1_000_000])
      expect(Buffer.compare(await readAll(gunzip(pieces(bytes, length))), Buffer.concat(contents))).toBe(0);
  });

  test("ten thousand small members", async () => {
    const member = gzipSync("small");
    const bytes = Buffer.concat(Array.from({ length: 10_000 }, () => member));
    expect(await readAll(gunzip(pieces(bytes, 65_536)))).toEqual(Buffer.from("small".repeat(10_000)));
  });
});

test.each([
  ["a wrong checksum of its header", 0x02, Buffer.from("0000", "hex")],
  ["a name without end", 0x08, Buffer.alloc(600, "n")],
  ["an extra field that is cut off", 0x04, Buffer.from("ffff", "hex")],
])("gzip with %s is refused", async (_, flags, fields) => {
  const header = Buffer.concat([sound.subarray(0, 10), fields]);
  header.writeUInt8(flags, 3);
  const bytes = Buffer.concat([header, sound.subarray(10)]);
  await expect(readAll(gunzip(pieces(bytes, 7)))).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

function crcOf(bytes: Uint8Array): number {
  // The trailer of what holds them has their CRC-32; a header has its lower half.
  return gzipSync(bytes).readUInt16LE(gzipSync(bytes).byteLength - 8);
}
