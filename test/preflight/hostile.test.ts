import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readAll, UndockedError, type ContainerConfig } from "@undocked/registry";
import { writeTar } from "@undocked/registry/tar";
import { layerFiles } from "../../packages/core/src/layer/layer-files.ts";
import { executableFacts } from "../../packages/core/src/preflight/file-facts.ts";
import { preflight } from "../../packages/core/src/preflight/preflight.ts";
import { indexLayer } from "../../packages/core/src/rootfs/index-layer.ts";
import { emptyRootFs } from "../../packages/core/src/rootfs/rootfs.ts";
import { directory, file, link } from "../support/bases.ts";
import { buildElf } from "../support/tiny-elf.ts";
import { randomFrom } from "../support/library-layout.ts";

/* Attack: images whose layers somebody has damaged, 10,000 of them, from a fixed seed. A proof, or an UndockedError. */

const interpreter = "/lib64/ld-linux-x86-64.so.2";
const good = readAll(
  writeTar([
    link("lib64", "usr/lib64"),
    link("bin", "usr/bin"),
    directory("usr/lib64"),
    file(
      "usr/bin/app",
      buildElf({
        pie: true,
        interpreter,
        needed: ["liba.so", "$ORIGIN/../lib64/libb.so"],
        runpath: "$ORIGIN/../lib64:/opt/$LIB",
        versionNeeds: [{ library: "liba.so", versions: ["A_1", "A_2?"] }],
      }),
      0o755,
    ),
    file(
      "usr/lib64/liba.so",
      buildElf({ soname: "liba.so", needed: ["libb.so"], versionDefinitions: ["A", "A_1"] }),
    ),
    file("usr/lib64/libb.so", buildElf({ soname: "libb.so", needed: ["liba.so"], rpath: "/a:/b" })),
    file(
      "usr/lib64/ld-linux-x86-64.so.2",
      buildElf({ soname: "ld-linux-x86-64.so.2", data: Buffer.from("/lib64/\0/usr/lib64/\0\0") }),
      0o755,
    ),
    file("usr/bin/env", buildElf({}), 0o755),
    file("usr/bin/sh", buildElf({ pie: true }), 0o755),
    file("run.sh", "#!/usr/bin/env -S app --fast\n", 0o755),
    file("start", "#!/run.sh x\n", 0o755),
    file("etc/passwd", "root:x:0:0::/:\napp:x:7:7::/:/bin/sh\n"),
    file("etc/group", "app:x:7:\nweb:x:8:app\n"),
  ]),
);

const configs: readonly ContainerConfig[] = [
  { Entrypoint: ["/start"], User: "app", WorkingDir: "/usr/bin" },
  {
    Entrypoint: ["app"],
    Env: ["PATH=/bin::relative", "LD_LIBRARY_PATH=/opt;:", "LD_PRELOAD=libb.so none.so"],
  },
  { Entrypoint: ["/bin/sh", "-c"], Cmd: ["$START a"], Env: ["START=exec /run.sh"], Volumes: { "/usr": {} } },
  { Cmd: ["./sh", "/start"], User: "7:web", WorkingDir: "bin", Healthcheck: { Test: ["CMD-SHELL", "app"] } },
];

function fitChecksum(header: Buffer): void {
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
}

test("10,000 damaged images: a proof or an error, in bounded memory", { timeout: 600_000 }, async () => {
  const random = randomFrom(20_261_121);
  const tar = Buffer.from(await good);
  const seen = new Map<string, number>();
  let proofs = 0;
  for (let round = 0; round < 10_000; round++) {
    const bytes = Buffer.from(tar);
    for (let change = random(6); change >= 0; change--) {
      const at = random(bytes.length);
      bytes[at] = random(3) === 0 ? [0, 1, 0x7f, 0xff, 0x2f, 0x24][random(6)]! : random(256);
      const block = at - (at % 512);
      // A block that is a header gets a checksum that fits, mostly, to come past the first check.
      if (bytes.toString("latin1", block + 257, block + 262) === "ustar" && round % 4 !== 0)
        fitChecksum(bytes.subarray(block, block + 512));
    }
    const cut = random(16) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
    const blob = round % 16 === 0 ? gzipSync(cut, { level: 1 }) : cut;
    async function* content(): AsyncGenerator<Uint8Array> {
      yield blob;
    }
    try {
      const index = await indexLayer(content(), { collector: executableFacts });
      await using files = layerFiles(content);
      const root = emptyRootFs();
      // What an index keeps is JSON.
      root.applyIndex(JSON.parse(JSON.stringify(index)) as typeof index, files);
      const config = configs[round % configs.length]!;
      const proof = await preflight(config, root, { os: "linux", architecture: "amd64" });
      for (const { code } of proof.findings) seen.set(code, (seen.get(code) ?? 0) + 1);
      proofs++;
    } catch (error) {
      if (!(error instanceof UndockedError)) throw error;
    }
  }
  console.log(proofs, Object.fromEntries([...seen].sort(([, a], [, b]) => b - a)));
  expect(proofs).toBeGreaterThan(3000);
  expect(seen.size).toBeGreaterThan(15);
  expect(process.memoryUsage().rss).toBeLessThan(700 << 20);
});
