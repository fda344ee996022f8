import { expect, test } from "vitest";
import { checkImage } from "@undocked/core";
import { file } from "../support/bases.ts";
import { makeImage } from "../support/make-image.ts";
import { buildElf } from "../support/tiny-elf.ts";

/* Attack: programs whose libraries would be looked for without end. */

const glibc = "/lib64/ld-linux-x86-64.so.2";
const loader = file(glibc.slice(1), buildElf({ soname: "ld-linux-x86-64.so.2" }), 0o755);
const many = (count: number, make: (n: number) => string): string[] =>
  Array.from({ length: count }, (_, n) => make(n));

async function proofOf(elf: Parameters<typeof buildElf>[0], env: readonly string[] = []) {
  const program = file("app", buildElf({ pie: true, interpreter: glibc, ...elf }), 0o755);
  const image = await makeImage({
    layers: [[loader, program]],
    config: { Entrypoint: ["/app"], Env: [...env] },
  });
  const [checked] = await checkImage(image.root, image.store);
  return checked?.proof;
}

test("names times directories end at a limit", async () => {
  const runpath = many(2000, (n) => `/opt/${n}`).join(":");
  const proof = await proofOf({ needed: many(2000, (n) => `lib${n}.so`), runpath });
  expect(proof?.findings.map(({ code }) => code)).toContain("ELF_TOO_LARGE");
});

test("libraries to be opened later, times all that are loaded, end at a limit", async () => {
  const need = many(400, (n) => `later${n}.so`).map((soname) => ({ soname: [soname], priority: "required" }));
  const notes = [{ owner: "FDO", type: 0x407c0c0a, content: Buffer.from(JSON.stringify(need)) }];
  const proof = await proofOf({
    notes,
    needed: many(100, (n) => `lib${n}.so`),
    runpath: many(100, (n) => `/opt/${n}`).join(":"),
  });
  const codes = (proof?.findings ?? []).map(({ code }) => code);
  expect(codes.filter((code) => code === "LIBRARY_DLOPEN_MISSING")).toHaveLength(256);
});

test("a shell's text, an environment and a chain of wrappers end at a limit", async () => {
  const wrapper = file("tini", buildElf({}), 0o755);
  const image = await makeImage({
    layers: [[wrapper]],
    config: { Entrypoint: many(4000, () => "/tini"), Env: [`PATH=${many(4000, (n) => `/${n}`).join(":")}`] },
  });
  const [checked] = await checkImage(image.root, image.store);
  expect(checked?.proof.steps.length).toBeLessThan(100);
});
