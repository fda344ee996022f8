// Debian's own nodejs, in a root of its own: it is linked to Debian's zlib, and so deflates to other bytes than official Node does.
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.mjs";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Downloads a suite's nodejs with all that it depends on, and unpacks it. This machine's packages stay as they are.
 *
 * @returns the text of a program that runs it
 */
export async function debianNode({ suite, architecture = "amd64" }, directory) {
  const root = join(directory, "root");
  const apt = await privateApt(directory, suite, architecture);
  await apt("--yes", "--download-only", "install", "nodejs");
  const archives = join(directory, "apt/cache/archives");
  for (const file of packagesIn(archives)) await run("dpkg-deb", ["-x", file, root]);
  // Of the package base-files, whose other files are not needed.
  for (const name of ["bin", "lib", "lib64"]) {
    mkdirSync(join(root, "usr", name), { recursive: true });
    if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
  }
  return architecture === "amd64" ? inRoot(root) : emulated(root, await emulator(join(directory, "qemu")));
}

/** apt with its own lists, status and cache: it takes nothing as installed. */
async function privateApt(directory, suite, architecture) {
  const home = join(directory, "apt");
  for (const name of ["lists/partial", "cache/archives/partial", "preferences"])
    mkdirSync(join(home, name), { recursive: true });
  writeFileSync(join(home, "status"), "");
  const source = `deb [signed-by=${keyring}] ${await mirror()} ${suite} main\n`;
  writeFileSync(join(home, "sources.list"), source);
  const settings = [
    `Dir::Etc::sourcelist=${home}/sources.list`,
    "Dir::Etc::sourceparts=-",
    `Dir::Etc::preferencesparts=${home}/preferences`,
    `Dir::State::lists=${home}/lists`,
    `Dir::State::status=${home}/status`,
    `Dir::Cache=${home}/cache`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures::=${architecture}`,
    "APT::Install-Recommends=false",
    "APT::Keep-Downloaded-Packages=true",
    "APT::Sandbox::User=root",
    "Acquire::Retries=3",
    "Acquire::Languages=none",
  ];
  const flags = settings.flatMap((setting) => ["-o", setting]);
  const apt = (...args) => run("apt-get", ["-qq", ...flags, ...args], { cwd: home });
  await apt("update");
  return apt;
}

/** Where this machine's apt finds Debian. */
async function mirror() {
  const format = ["--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"];
  const { stdout } = await run("apt-get", ["indextargets", ...format]);
  const own = stdout.split("\n").find((line) => /^Debian \S+\/debian\/?$/.test(line));
  if (own === undefined) throw new Error("apt knows no place that has Debian's packages");
  return own.slice("Debian ".length);
}

function packagesIn(directory) {
  const names = readdirSync(directory).filter((name) => name.endsWith(".deb"));
  return names.map((name) => join(directory, name));
}

/**
 * Debian's node reads a part of itself from /usr/share/nodejs. So it runs in its root, in a mount namespace in which
 * the root has this machine's other directories, with the working directory as it was.
 */
function inRoot(root) {
  return `#!/bin/sh
set -eu
unset NODE_EXTRA_CA_CERTS
user=
[ "$(id -u)" -eq 0 ] || user="--user --map-root-user"
export UNDOCKED_ROOT='${root}' UNDOCKED_HERE="$PWD"
exec unshare $user --mount /bin/sh -c '
  for place in /*; do
    case "$place" in /bin|/etc|/lib*|/sbin|/usr) continue ;; esac
    [ -d "$place" ] || continue
    mkdir -p "$UNDOCKED_ROOT$place"
    mount --rbind "$place" "$UNDOCKED_ROOT$place"
  done
  exec unshare --root "$UNDOCKED_ROOT" --wd "$UNDOCKED_HERE" /usr/bin/node "$@"
' sh "$@"
`;
}

/** The one program of the package of emulators that is needed: all of them take 380 MB. */
async function emulator(directory) {
  const apt = await privateApt(directory, "bookworm", "amd64");
  await apt("download", "qemu-user-static");
  const [file] = packagesIn(join(directory, "apt"));
  const program = "./usr/bin/qemu-aarch64-static";
  await run("sh", [
    "-c",
    'dpkg-deb --fsys-tarfile "$1" | tar -xf - -C "$2" "$3"',
    "sh",
    file,
    directory,
    program,
  ]);
  return join(directory, program);
}

/** The emulator looks for each path in the root first. */
function emulated(root, qemu) {
  return `#!/bin/sh
unset NODE_EXTRA_CA_CERTS
exec '${qemu}' -L '${root}' '${root}/usr/bin/node' "$@"
`;
}
