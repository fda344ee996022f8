import { lstatSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import { fileSource, readElf, type ElfFacts, type LibraryRoot, type RootFile } from "@undocked/core/elf";

/** A directory as a root file system: its links are followed inside of it, as after a chroot. */
export function directoryRoot(directory: string): LibraryRoot {
  const known = new Map<string, ElfFacts | undefined>();
  const at = (path: string): string => join(directory, path);
  return {
    resolve: (path) =>
      resolveIn(
        path,
        (name) => statAt(at(name)),
        (name) => readlinkSync(at(name)),
      ),
    async elf({ path }) {
      if (known.has(path)) return known.get(path);
      const facts = await factsOf(at(path));
      known.set(path, facts);
      return facts;
    },
    read(file, limit) {
      const bytes = readFileSync(at(file.path));
      return Promise.resolve(bytes.byteLength > limit ? undefined : bytes);
    },
  };
}

function resolveIn(
  path: string,
  stat: (path: string) => Stats | undefined,
  readlink: (path: string) => string,
): RootFile | undefined {
  const ahead = path.split("/").reverse();
  let done = "";
  for (let links = 0; ahead.length > 0;) {
    const name = ahead.pop();
    if (name === undefined || name === "" || name === ".") continue;
    if (name === "..") {
      done = done.slice(0, Math.max(0, done.lastIndexOf("/")));
      continue;
    }
    const next = `${done}/${name}`;
    const found = stat(next);
    if (found === undefined || (ahead.some((part) => part !== "") && found.isFile())) return undefined;
    if (!found.isSymbolicLink()) {
      done = next;
      continue;
    }
    links++;
    if (links > 40) return undefined;
    const target = readlink(next);
    if (target.startsWith("/")) done = "";
    ahead.push(...target.split("/").reverse());
  }
  const found = stat(done === "" ? "/" : done);
  if (found === undefined) return undefined;
  const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
  return { path: done === "" ? "/" : done, kind, id: `${found.dev}:${found.ino}` };
}

function statAt(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

async function factsOf(path: string): Promise<ElfFacts | undefined> {
  await using source = await fileSource(path);
  try {
    return await readElf(source);
  } catch {
    return undefined;
  }
}
