// Trees of files: noise by a generator, JavaScript from the packages that the lock file pins.
import { createCipheriv } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const packages = fileURLToPath(new URL("../node_modules/.pnpm/", import.meta.url));

/**
 * What the tools put on top of the base, at `into`. `runs` are those of series.mjs that are of interest; `scale` makes the trees
 * smaller for a trial of the bench itself.
 */
export const workloads = {
  small: {
    title: "10,000 files of 1 to 16 KiB, slices of JavaScript",
    into: "/app",
    runs: ["first", "known", "again", "pinned", "changed", "swapped"],
    make: (directory, scale) => slices(directory, Math.round(10_000 * scale), 1024, 16 * 1024),
  },
  big: {
    title: "one incompressible file of 512 MiB",
    into: "/app",
    runs: ["first", "known", "again"],
    make: (directory, scale) => randomFile(join(directory, "big.bin"), Math.round(512 * scale)),
  },
  text: {
    title: "512 MiB of JavaScript, in files as packages have them",
    into: "/app",
    runs: ["first", "known", "again"],
    make: (directory, scale) => wholeFiles(directory, Math.round(512 * 1024 * 1024 * scale)),
  },
  many: {
    title: "100,000 files of 1 to 4 KiB",
    into: "/app",
    runs: ["first", "known", "again"],
    make: (directory, scale) => slices(directory, Math.round(100_000 * scale), 1024, 4096),
  },
  merged: {
    title: "one program for /bin, which is a link in the base",
    into: "/bin",
    runs: ["first"],
    make: (directory) => writeFileSync(join(directory, "tool"), "#!/bin/sh\n", { mode: 0o755 }),
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
  const script = javascript().bytes;
  const folders = ["etc", "usr/bin", "usr/lib", "usr/share", "var/lib", "tmp"];
  for (const folder of folders) mkdirSync(join(directory, folder), { recursive: true });
  symlinkSync("usr/bin", join(directory, "bin"));
  const count = Math.round(3000 * scale);
  for (let index = 0; index < count; index += 1) {
    const folder = folders[1 + (index % 3)];
    const size = 1024 + (random() % 48_000);
    const content = index % 2 === 0 ? sliceOf(script, random, size) : noise(size, index);
    writeFileSync(join(directory, folder, `file-${index}`), content, {
      mode: folder === "usr/bin" ? 0o755 : 0o644,
    });
  }
  writeFileSync(join(directory, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
}

function slices(directory, count, least, most) {
  const random = generator(42);
  const script = javascript().bytes;
  const folders = Math.max(1, count / 100);
  for (let index = 0; index < count; index += 1) {
    const folder = join(directory, `module-${index % folders}`);
    if (index < folders) mkdirSync(folder, { recursive: true });
    const size = least + (random() % (most - least));
    writeFileSync(join(folder, `file-${index}.js`), sliceOf(script, random, size));
  }
}

/** The packages' own files, again and again, each with a line that only it has. */
function wholeFiles(directory, total) {
  const { files } = javascript();
  let written = 0;
  for (let index = 0; written < total; index += 1) {
    const file = files[index % files.length];
    const folder = join(directory, `copy-${Math.floor(index / files.length)}`, `part-${index % 200}`);
    mkdirSync(folder, { recursive: true });
    const content = Buffer.concat([Buffer.from(`// ${index}\n`), readFileSync(file)]);
    writeFileSync(join(folder, `${index}.js`), content);
    written += content.length;
  }
}

let known;

/** All JavaScript of the installed packages, in the order of its paths. */
function javascript() {
  known ??= readJavascript();
  return known;
}

function readJavascript() {
  const files = readdirSync(packages, { recursive: true })
    .map(String)
    .filter((path) => /\.(?:[cm]?js|ts)$/.test(path))
    .sort()
    .map((path) => join(packages, path))
    .filter((path) => statSync(path).isFile());
  return { files, bytes: Buffer.concat(files.map((path) => readFileSync(path))) };
}

function sliceOf(bytes, random, size) {
  const start = random() % (bytes.length - size);
  return bytes.subarray(start, start + size);
}

function randomFile(path, mebibytes) {
  const file = openSync(path, "w");
  const cipher = keystream(1);
  const zeros = Buffer.alloc(1024 * 1024);
  for (let index = 0; index < mebibytes; index += 1) writeSync(file, cipher.update(zeros));
  closeSync(file);
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
