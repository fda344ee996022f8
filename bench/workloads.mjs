// Trees of files, the same bytes on every machine.
import { createCipheriv } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
  closeSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";

const words =
  "const let return function await export import from class extends this new if else for of null undefined value index result options error message buffer stream length push map filter".split(
    " ",
  );

/** What the tools put on top of the base. `scale` makes them smaller for a trial of the bench itself. */
export const workloads = {
  small: {
    title: "10,000 files of 1 to 16 KiB",
    make: (directory, scale) => smallFiles(directory, Math.round(10_000 * scale)),
  },
  big: {
    title: "one incompressible file of 512 MiB",
    make: (directory, scale) => randomFile(join(directory, "big.bin"), Math.round(512 * scale), 1),
  },
};

/** Makes a tree once; a tree that is there is taken as it is. */
export function ensureTree(directory, make) {
  if (existsSync(directory)) return directory;
  const unfinished = `${directory}.part`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  make(unfinished);
  renameSync(unfinished, directory);
  return directory;
}

/** 75 MB in 3,000 files, half text and half noise, with the directories that a distribution has. */
export function makeBase(directory, scale) {
  const random = generator(7);
  const folders = ["etc", "usr/bin", "usr/lib", "usr/share", "var/lib", "tmp"];
  for (const folder of folders) mkdirSync(join(directory, folder), { recursive: true });
  const count = Math.round(3000 * scale);
  for (let index = 0; index < count; index += 1) {
    const folder = folders[1 + (index % 3)];
    const size = 1024 + (random() % 48_000);
    const content = index % 2 === 0 ? text(random, size) : noise(size, index);
    writeFileSync(join(directory, folder, `file-${index}`), content, {
      mode: folder === "usr/bin" ? 0o755 : 0o644,
    });
  }
  writeFileSync(join(directory, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
}

function smallFiles(directory, count) {
  const random = generator(42);
  for (let index = 0; index < count; index += 1) {
    const folder = join(directory, `module-${index % 100}`);
    if (index < 100) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${index}.js`), text(random, 1024 + (random() % (15 * 1024))));
  }
}

function randomFile(path, mebibytes, seed) {
  const file = openSync(path, "w");
  const cipher = keystream(seed);
  const zeros = Buffer.alloc(1024 * 1024);
  for (let index = 0; index < mebibytes; index += 1) writeSync(file, cipher.update(zeros));
  closeSync(file);
}

function text(random, size) {
  const lines = [];
  for (let length = 0; length < size;) {
    const line = Array.from({ length: 6 }, () => words[random() % words.length]).join(" ");
    const numbered = `  ${line}_${random() % 100_000};`;
    lines.push(numbered);
    length += numbered.length + 1;
  }
  return lines.join("\n").slice(0, size);
}

function noise(size, seed) {
  return keystream(seed).update(Buffer.alloc(size));
}

function keystream(seed) {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
}

// xorshift32
function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
