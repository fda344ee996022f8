import { expect, test } from "vitest";
import { parsePlatform } from "@undocked/registry";
import {
  buildElf,
  tinyPlatforms,
  type TinyElf,
  type TinyPlatform,
} from "../../../../test/support/tiny-elf.ts";
import { withArmAttributes, withGoBuild } from "../../../../test/support/tiny-elf-extras.ts";
import { bytesSource } from "./byte-source.ts";
import { readElf } from "./elf.ts";
import { inspectExecutable } from "./inspect.ts";

const arm = tinyPlatforms["linux/arm/v7"];
const mips = tinyPlatforms["linux/mips64le"];
const go = (platform: TinyPlatform, settings: Readonly<Record<string, string>>): Uint8Array =>
  buildElf(withGoBuild({ platform }, settings));
const cpu = (level: number, float?: number, platform: TinyPlatform = arm): Uint8Array =>
  withArmAttributes(buildElf({ platform }), { 6: level, ...(float === undefined ? {} : { 28: float }) });
const isa = (bits: number): TinyElf => ({
  notes: [{ owner: "GNU", type: 5, content: property(0xc0008002, bits) }],
});

test.each([
  ["Go for v3", go(tinyPlatforms["linux/amd64"], { GOAMD64: "v3" }), "linux/amd64", "x86-64-v3"],
  ["Go for v3 on v3", go(tinyPlatforms["linux/amd64"], { GOAMD64: "v3" }), "linux/amd64/v3", undefined],
  ["Go for v3 on v2", go(tinyPlatforms["linux/amd64"], { GOAMD64: "v3" }), "linux/amd64/v2", "x86-64-v3"],
  ["a linker's note of v4", buildElf(isa(8)), "linux/amd64/v3", "x86-64-v4"],
  ["a linker's note of v1", buildElf(isa(1)), "linux/amd64", undefined],
  ["Go for Arm v7 on v6", go({ ...arm, flags: 0x05000002 }, { GOARM: "7" }), "linux/arm/v6", "Arm v7"],
  ["Go for Arm v7 on v7", go({ ...arm, flags: 0x05000002 }, { GOARM: "7" }), "linux/arm/v7", undefined],
  ["Go for Arm v6 with a float", go(arm, { GOARM: "6,softfloat" }), "linux/arm/v5", "Arm v6"],
  ["attributes of v7 on v6", cpu(10), "linux/arm/v6", "Arm v7"],
  ["attributes of v6 on v6", cpu(6), "linux/arm/v6", undefined],
  ["attributes of v5TE on v5", cpu(4, 0, { ...arm, flags: 0x05000200 }), "linux/arm/v5", undefined],
  ["attributes of v8 on v7", cpu(14), "linux/arm/v7", "Arm v8"],
  ["Go for Arm v9", go(tinyPlatforms["linux/arm64"], { GOARM64: "v9.0" }), "linux/arm64", "Arm v9.0"],
  ["Go for Arm v8.2", go(tinyPlatforms["linux/arm64"], { GOARM64: "v8.2,lse" }), "linux/arm64/v9", undefined],
  [
    "Go for a later RISC-V",
    go(tinyPlatforms["linux/riscv64"], { GORISCV64: "rva23u64" }),
    "linux/riscv64",
    "rva23u64",
  ],
  ["Go for POWER9", go(tinyPlatforms["linux/ppc64le"], { GOPPC64: "power9" }), "linux/ppc64le", "POWER9"],
  ["Go for POWER8", go(tinyPlatforms["linux/ppc64le"], { GOPPC64: "power8" }), "linux/ppc64le", undefined],
  ["MIPS release 6", buildElf({ platform: mips, flags: 0xa0000007 }), "linux/mips64le", "MIPS release 6"],
  ["MIPS release 2", buildElf({ platform: mips }), "linux/mips64le", undefined],
] as const)("%s", async (_, file, platform, needed) => {
  const { problems } = await inspectExecutable(bytesSource(file), { platform: parsePlatform(platform) });
  const found = problems.filter(({ code }) => code === "EXECUTABLE_CPU_LEVEL");
  expect(found.map(({ severity, message }) => [severity, /needs (.+), and/.exec(message)?.[1]])).toEqual(
    needed === undefined ? [] : [["warning", needed]],
  );
});

test.each([
  ["the header's bit", buildElf({ platform: arm }), "linux/arm/v5", true],
  ["the attributes", cpu(4, 1, { ...arm, flags: 0x05000000 }), "linux/arm/v5", true],
  ["a soft one", buildElf({ platform: arm, flags: 0x05000200 }), "linux/arm/v5", false],
  ["a processor that has the registers", buildElf({ platform: arm }), "linux/arm/v6", false],
] as const)("hard floating point by %s", async (_, file, platform, isTold) => {
  const { problems } = await inspectExecutable(bytesSource(file), { platform: parsePlatform(platform) });
  expect(problems.some(({ code }) => code === "EXECUTABLE_FLOAT_ABI")).toBe(isTold);
});

test("a Go program for another system, that nothing else tells", async () => {
  const file = go(tinyPlatforms["linux/amd64"], { GOOS: "dragonfly" });
  const { problems } = await inspectExecutable(bytesSource(file), { platform: parsePlatform("linux/amd64") });
  expect(problems.map(({ code, message }) => [code, message.includes("dragonfly")])).toEqual([
    ["EXECUTABLE_WRONG_OS", true],
  ]);
});

test("of Go's build information only known settings of plain words are kept", async () => {
  const file = go(tinyPlatforms["linux/amd64"], {
    GOARCH: "amd64",
    "-ldflags": "-X main.token=secret",
    CGO_ENABLED: "0",
    GOX: "a b",
    vcs: "git",
  });
  expect((await readElf(bytesSource(file))).go).toEqual({ GOARCH: "amd64", CGO_ENABLED: "0" });
});

test.each([
  ["a length beyond the file", (at: number, bytes: Uint8Array) => bytes.set([0xff, 0xff, 0x7f], at + 32)],
  ["a length without end", (at: number, bytes: Uint8Array) => bytes.fill(0xff, at + 32, at + 40)],
  ["pointers, as before Go 1.18", (at: number, bytes: Uint8Array) => bytes.set([0], at + 15)],
])("build information with %s is none", async (_, damage) => {
  const file = Buffer.from(go(tinyPlatforms["linux/amd64"], { GOAMD64: "v3" }));
  const mark = Buffer.from("\xff Go buildinf:", "latin1");
  for (let at = file.indexOf(mark); at !== -1; at = file.indexOf(mark, at + 1)) damage(at, file);
  expect((await readElf(bytesSource(file))).go).toBeUndefined();
});

test.each([
  ["another form", { version: 0x42 }],
  ["no length", { length: 0 }],
  ["a length beyond the section", { length: 0xffffffff }],
])("attributes with %s end, and say what was there", async (_, damage) => {
  const file = withArmAttributes(buildElf({ platform: arm }), { 6: 10 }, damage);
  const { arm: found } = await readElf(bytesSource(file));
  expect([undefined, 7]).toContain(found?.level);
});

function property(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, 4, true);
  view.setUint32(8, value, true);
  return bytes;
}
