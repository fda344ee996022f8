import { createCipheriv } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { writeTar, type TarHeader } from "@undocked/registry/tar";

/** Writes a build context of one kind. The same bytes, names and modes wherever and whenever it is called. */
export type WriteContext = (root: string) => void | Promise<void>;

export const contexts: Readonly<Record<string, WriteContext>> = {
  "small files": (root) => {
    for (let at = 0; at < 400; at += 1) put(root, `app/${at % 7}/${at}.txt`, `line ${at}\n`.repeat(at));
    for (const name of ["é.txt", "Z.txt", "a-b", "a/b", "日本", " space"]) put(root, `app/${name}`, name);
    put(root, "Dockerfile", 'FROM scratch\nLABEL z=1 a=2\nCOPY app /srv/\nWORKDIR /srv/new\nCMD ["x"]\n');
  },
  "text and noise over several blocks": (root) => {
    put(root, "noise", noise(5 * 1024 * 1024 + 17));
    put(root, "text", "const answer = 42; // as it was\n".repeat(200_000));
    put(root, "mixed", Buffer.concat([noise(1_500_000), Buffer.alloc(3_000_000, "ab\n"), noise(900_000)]));
    put(root, "zeros", Buffer.alloc(3 * 1024 * 1024));
    put(root, "Dockerfile", "FROM scratch\nCOPY noise /a/\nCOPY text mixed /b/\nCOPY zeros /c\n");
  },
  "links, modes and long names": (root) => {
    put(root, "tree/program", "#!/bin/sh\n", 0o755);
    put(root, "tree/secret", "s", 0o600);
    put(root, "tree/setuid", "s", 0o4755);
    linkSync(join(root, "tree/program"), join(root, "tree/second-name"));
    symlinkSync("program", join(root, "tree/link"));
    symlinkSync("../".repeat(50) + "x".repeat(90), join(root, "tree/far"));
    put(root, `tree/${"deep-directory/".repeat(20)}file`, "deep");
    put(root, `tree/${"n".repeat(200)}`, "long");
    put(
      root,
      "Dockerfile",
      "FROM scratch\nCOPY --chown=1000:2000 tree /t/\nCOPY --chmod=640 tree/program /u/\nUSER 1000\n",
    );
  },
  stages: (root) => {
    for (let at = 0; at < 40; at += 1) put(root, `src/${at}`, `source ${at}\n`.repeat(1000));
    put(
      root,
      "Dockerfile",
      "FROM scratch AS one\nCOPY src /one/\nFROM scratch AS two\nCOPY --from=one /one/1? /two/\n" +
        "FROM two\nARG NAME=x\nENV NAME=$NAME\nCOPY --from=one /one/7 /seven\nCOPY --link src/8 /eight/\n",
    );
  },
  archives: async (root) => {
    const header = (path: string, more: Partial<TarHeader>): TarHeader => ({
      path,
      kind: "file",
      mode: 0o644,
      uid: 7,
      gid: 8,
      mtime: 1_600_000_000,
      size: 0,
      ...more,
    });
    const body = noise(300_000);
    const parts: Uint8Array[] = [];
    for await (const part of writeTar([
      { header: header("d/", { kind: "directory", mode: 0o755 }) },
      { header: header("d/noise", { size: body.byteLength }), body },
      { header: header("d/link", { kind: "symlink", linkTarget: "noise" }) },
      { header: header("d/hard", { kind: "hardlink", linkTarget: "d/noise" }) },
    ]))
      parts.push(Uint8Array.from(part));
    put(root, "plain.tar", Buffer.concat(parts));
    put(root, "small.tgz", gzipSync(Buffer.concat(parts)));
    put(root, "Dockerfile", "FROM scratch\nADD plain.tar /p/\nADD small.tgz /g/\nCOPY plain.tar /kept.tar\n");
  },
};

/** With its mode whatever the umask is. */
function put(root: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const place = join(root, path);
  for (let at = dirname(place); at.length > root.length; at = dirname(at)) made(at);
  writeFileSync(place, content);
  chmodSync(place, mode);
}

function made(directory: string): void {
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
}

/** Bytes that nothing makes smaller. */
function noise(size: number): Uint8Array {
  return createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(size));
}
