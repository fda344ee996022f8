import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage, memoryTree, type BuildOptions, type MemoryFile } from "@undocked/core";
import { readAll } from "@undocked/registry";
import { writeTar } from "@undocked/registry/tar";
import { startImage, startTools } from "../support/start-image.ts";
import { buildElf, tinyPlatforms, type TinyElf } from "../support/tiny-elf.ts";
import { findProgram, lacks, lacksRoot } from "../support/tools.ts";
import { wrapperProgram } from "../support/wrapper-program.ts";

type Files = Readonly<Record<string, MemoryFile>>;

/** An image that cannot start, and the same repaired. */
interface Case {
  readonly name: string;
  /** Of the image, by path. */
  readonly files?: Files;
  /** Behind `FROM scratch` and the COPY of the files. */
  readonly text: string;
  readonly code: string;
  readonly message: RegExp;
  readonly hint: RegExp;
  /** What makes it start: files laid over, another text. */
  readonly repaired: { readonly files?: Files; readonly text?: string };
  /** `started`: the file, made by hand, is harmless, where a compiler's would not be. Default: both are shown in a container. */
  readonly shown?: "started";
}

const loader = "/lib64/ld-linux-x86-64.so.2";
const libc = "/lib/x86_64-linux-gnu/libc.so.6";
const hasGlibc = existsSync(loader) && existsSync(libc);
const muslLoader = "/lib/ld-musl-x86_64.so.1";
const hasMusl = existsSync(muslLoader);

const program = (elf: TinyElf = {}, mode = 0o755): MemoryFile => ({ content: buildElf(elf), mode });
const executable = (content: string | Uint8Array, mode = 0o755): MemoryFile => ({ content, mode });
const link = (linkTarget: string): MemoryFile => ({ kind: "symlink", linkTarget });
const busybox = findProgram("busybox");
const shell = executable(busybox === undefined ? buildElf({}) : readFileSync(busybox));
const shells: Files = { "/bin/busybox": shell, "/bin/sh": link("busybox") };
const envs: Files = { ...shells, "/usr/bin/env": link("../../bin/busybox") };
const start = (...argv: string[]): string => `ENTRYPOINT ${JSON.stringify(argv)}`;
const app = start("/app");
const arm64 = tinyPlatforms["linux/arm64"];
const dynamic: TinyElf = { pie: true, interpreter: loader, needed: ["libc.so.6"] };
const glibc: Files = hasGlibc
  ? { [loader]: executable(readFileSync(loader)), [libc]: executable(readFileSync(libc)) }
  : {};
const musl: Files = hasMusl ? { [muslLoader]: executable(readFileSync(muslLoader)) } : {};
const dynamicMusl: TinyElf = { pie: true, interpreter: muslLoader, needed: ["libc.so"] };
const wrapper = executable(wrapperProgram());
const wrappers: Files = {
  ...envs,
  "/usr/bin/tini": wrapper,
  "/usr/bin/gosu": wrapper,
  "/usr/bin/node": wrapper,
  "/usr/bin/timeout": link("../../bin/busybox"),
};
const passwd = "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n";
const withPasswd: Files = { "/etc/passwd": passwd, "/etc/group": "root:x:0:\napp:x:1000:\n" };

const programs: readonly Case[] = [
  {
    name: "a program that is not there",
    text: app,
    code: "ENTRYPOINT_NOT_FOUND",
    message: /ENOENT \(exec \/app: no such file or directory\)/,
    hint: /Copy the program/,
    repaired: { files: { "/app": program() } },
  },
  {
    name: "a relative path from another working directory",
    files: { "/srv/app": program() },
    text: `WORKDIR /home\n${start("./app")}`,
    code: "ENTRYPOINT_NOT_FOUND",
    message: /\.\/app is not in the image/,
    hint: /path that it has/,
    repaired: { text: `WORKDIR /srv\n${start("./app")}` },
  },
  {
    name: "a name that no directory of PATH has",
    text: start("app"),
    code: "ENTRYPOINT_NOT_FOUND",
    message: /executable file not found in \$PATH/,
    hint: /directory of PATH/,
    repaired: { files: { "/usr/bin/app": program() } },
  },
  {
    name: "a name in a directory that PATH leaves out",
    files: { "/opt/app": program() },
    text: `ENV PATH=/bin:/usr/bin\n${start("app")}`,
    code: "ENTRYPOINT_NOT_FOUND",
    message: /PATH \(\/bin:\/usr\/bin\)/,
    hint: /PATH/,
    repaired: { text: `ENV PATH=/bin:/opt\n${start("app")}` },
  },
  {
    name: "a link that leads nowhere",
    files: { "/app": link("bin/gone") },
    text: app,
    code: "ENTRYPOINT_NOT_FOUND",
    message: /\/app -> bin\/gone/,
    hint: /Copy the program/,
    repaired: { files: { "/bin/gone": program() } },
  },
  {
    name: "links that go round",
    files: { "/app": link("/b"), "/b": link("/app") },
    text: app,
    code: "ENTRYPOINT_LINK_LOOP",
    message: /ELOOP.*circles/,
    hint: /link name the file/,
    repaired: { files: { "/b": program() } },
  },
  {
    name: "a path through a file",
    files: { "/app": program() },
    text: start("/app/run"),
    code: "ENTRYPOINT_NOT_FOUND",
    message: /ENOTDIR/,
    hint: /path that it has/,
    repaired: { text: app },
  },
  {
    name: "a directory",
    files: { "/app/run": program() },
    text: app,
    code: "ENTRYPOINT_IS_DIRECTORY",
    message: /EACCES.*\/app is a directory/,
    hint: /in that directory/,
    repaired: { text: start("/app/run") },
  },
  {
    name: "a program without x bit",
    files: { "/app": program({}, 0o644) },
    text: app,
    code: "ENTRYPOINT_NOT_EXECUTABLE",
    message: /mode 0644/,
    hint: /--chmod=755/,
    repaired: { files: { "/app": program() } },
  },
  {
    name: "a name in PATH without x bit",
    files: { "/usr/bin/app": program({}, 0o644) },
    text: start("app"),
    code: "ENTRYPOINT_NOT_EXECUTABLE",
    message: /\/usr\/bin\/app has mode 0644/,
    hint: /--chmod=755/,
    repaired: { files: { "/usr/bin/app": program() } },
  },
  {
    name: "a program that only root may execute, for another user",
    files: { "/app": program({}, 0o700) },
    text: `USER 1000\n${app}`,
    code: "ENTRYPOINT_NOT_EXECUTABLE",
    message: /the user 1000 may not execute/,
    hint: /--chown/,
    repaired: { files: { "/app": program({}, 0o755) } },
  },
  {
    name: "a program in a directory that its user may not look into",
    files: { "/srv": { kind: "directory", mode: 0o700 }, "/srv/app": program() },
    text: `USER 1000:1000\n${start("/srv/app")}`,
    code: "ENTRYPOINT_UNREACHABLE",
    message: /may not look into \/srv, which has mode 0700/,
    hint: /\/srv mode 0755/,
    repaired: { files: { "/srv": { kind: "directory", mode: 0o755 } } },
  },
  {
    name: "the empty name",
    files: { "/app": program() },
    text: start("", "/app"),
    code: "ENTRYPOINT_EMPTY",
    message: /empty text/,
    hint: /Name a program/,
    repaired: { text: app },
  },
  {
    name: "the shell form without a shell",
    files: { "/app": program() },
    text: "ENTRYPOINT /app",
    code: "ENTRYPOINT_NOT_FOUND",
    message: /\/bin\/sh is not in the image/,
    hint: /exec form/,
    repaired: { text: app },
  },
  {
    name: "the shell form of CMD without a shell",
    files: { "/app": program() },
    text: "CMD /app",
    code: "ENTRYPOINT_NOT_FOUND",
    message: /CMD \["\/bin\/sh","-c","\/app"\]/,
    hint: /exec form/,
    repaired: { files: shells },
  },
  {
    name: "a shell's plain command that is not there",
    files: shells,
    text: "ENTRYPOINT exec /app --serve",
    code: "ENTRYPOINT_NOT_FOUND",
    message: /\/app is not in the image/,
    hint: /Copy the program/,
    repaired: { files: { "/app": program() } },
  },
  {
    name: "a shell's plain command by a name that PATH does not have",
    files: shells,
    text: "ENTRYPOINT serve --all",
    code: "ENTRYPOINT_NOT_FOUND",
    message: /serve is not there in PATH/,
    hint: /directory of PATH/,
    repaired: { files: { "/usr/bin/serve": program() } },
  },
  {
    name: "a script for a shell to read that is not there",
    files: shells,
    text: start("/bin/sh", "/start.sh"),
    code: "SCRIPT_NOT_FOUND",
    message: /sh is to read \/start\.sh/,
    hint: /Copy the script/,
    repaired: { files: { "/start.sh": "exit 0\n" } },
  },
];

const started: readonly Case[] = [
  ...(
    [
      ["tini's program", ["/usr/bin/tini", "--", "/app", "-d"], "ENTRYPOINT_NOT_FOUND", /tini → \/app/],
      ["timeout's program", ["timeout", "20", "/app"], "ENTRYPOINT_NOT_FOUND", /timeout → \/app/],
      ["env's program", ["/usr/bin/env", "A=1", "/app"], "ENTRYPOINT_NOT_FOUND", /env → \/app/],
      ["gosu's program", ["gosu", "1000", "/app"], "ENTRYPOINT_NOT_FOUND", /gosu → 1000 → \/app/],
      ["a shell's by tini", ["tini", "--", "sh", "-c", "/app"], "ENTRYPOINT_NOT_FOUND", /sh → \/app/],
    ] as const
  ).map(([name, argv, code, message]) => ({
    name: `${name} that is not there`,
    files: wrappers,
    text: start(...argv),
    code,
    message,
    hint: /Copy the program/,
    repaired: { files: { "/app": program() } },
  })),
  {
    name: "a name that tini does not find in PATH",
    files: wrappers,
    text: start("/usr/bin/tini", "--", "server"),
    code: "ENTRYPOINT_NOT_FOUND",
    message: /server is not there in PATH/,
    hint: /directory of PATH/,
    repaired: { files: { "/usr/bin/server": program() } },
  },
  {
    name: "a program that gosu's user may not execute",
    files: { ...wrappers, "/app": program({}, 0o700) },
    text: start("gosu", "1000", "/app"),
    code: "ENTRYPOINT_NOT_EXECUTABLE",
    message: /the user 1000 may not execute/,
    hint: /--chown/,
    repaired: { files: { "/app": program() } },
    shown: "started",
  },
  {
    name: "a user that gosu does not find",
    files: { ...wrappers, "/app": program() },
    text: start("gosu", "web", "/app"),
    code: "USER_UNKNOWN",
    message: /user "web".*gosu → web/,
    hint: /by its number/,
    repaired: { text: start("gosu", "1000", "/app") },
    shown: "started",
  },
  {
    name: "a script for node to read that is not there",
    files: wrappers,
    text: `WORKDIR /srv\n${start("node", "server.js")}`,
    code: "SCRIPT_NOT_FOUND",
    message: /node is to read server\.js, which is not there/,
    hint: /Copy the script/,
    repaired: { files: { "/srv/server.js": "exit 0\n" } },
  },
  {
    name: "a program where a shell is to read a script",
    files: { ...shells, "/app": program() },
    text: start("/bin/sh", "/app"),
    code: "SCRIPT_NOT_TEXT",
    message: /no script: its format is elf/,
    hint: /Start \/app itself/,
    repaired: { text: app },
  },
  {
    name: "a way up from a directory that is not there",
    files: { "/app": program() },
    text: start("/none/../app"),
    code: "ENTRYPOINT_NOT_FOUND",
    message: /ENOENT/,
    hint: /Name \/app, which is there/,
    repaired: { files: { "/none/file": "" } },
  },
  {
    name: "a way up from a file",
    files: { "/app": program() },
    text: start("/app/../app"),
    code: "ENTRYPOINT_NOT_FOUND",
    message: /ENOTDIR/,
    hint: /Name \/app, which is there/,
    repaired: { text: app },
  },
];

const formats: readonly Case[] = [
  {
    name: "a program that begins where nothing is loaded",
    files: { "/app": program({ entry: 0x700_0000 }) },
    text: app,
    code: "EXECUTABLE_NO_ENTRY",
    message: /app crashes at once.*begins at 0x7000000, where nothing is loaded/,
    hint: /Define _start/,
    repaired: { files: { "/app": program() } },
  },
  ...(
    [
      ["an empty file", "", "EXECUTABLE_EMPTY", /is empty/, /Build it again/],
      ["a text without #!", "echo hello\n", "EXECUTABLE_SCRIPT_INVALID", /without #!/, /#!\/bin\/sh/],
      [
        "a byte order mark",
        "\uFEFF#!/app\n",
        "EXECUTABLE_SCRIPT_INVALID",
        /byte order mark/,
        /without a byte/,
      ],
      ["white space before #!", "\n#!/app\n", "EXECUTABLE_SCRIPT_INVALID", /White space/, /first two bytes/],
      ["a program for macOS", "cffaedfe07000001", "EXECUTABLE_NOT_ELF", /Mach-O/, /GOOS=linux/],
      ["a program for Windows", "4d5a90000300", "EXECUTABLE_NOT_ELF", /PE program/, /GOOS=linux/],
      ["WebAssembly", "0061736d01000000", "EXECUTABLE_NOT_ELF", /WebAssembly/, /runtime/],
      ["a jar", "504b030414000800", "EXECUTABLE_NOT_ELF", /zip archive/, /java -jar/],
      ["a compressed program", "1f8b080000000000", "EXECUTABLE_NOT_ELF", /compressed/, /Unpack/],
      ["a static library", "213c617263683e0a", "EXECUTABLE_NOT_ELF", /static library/, /Link it/],
      ["a Java class", "cafebabe00000041", "EXECUTABLE_NOT_ELF", /Java class/, /java/],
    ] as const
  ).map(([name, content, code, message, hint]) => ({
    name,
    files: { "/app": executable(/^[0-9a-f]{8,}$/.test(content) ? Buffer.from(content, "hex") : content) },
    text: app,
    code,
    message,
    hint,
    repaired: { files: { "/app": program() } },
  })),
  ...(
    [
      ["an object file", { type: "rel" }, "EXECUTABLE_OBJECT_FILE", /object file/, /Link it/],
      ["a core", { type: "core" }, "EXECUTABLE_CORE", /memory dump/, /program instead/],
      ["a program for arm64", { platform: arm64 }, "EXECUTABLE_WRONG_MACHINE", /for arm64/, /GOARCH=amd64/],
      ["a library", { soname: "liba.so" }, "EXECUTABLE_SHARED_LIBRARY", /shared library/, /-shared/],
      ["a program for FreeBSD", { osAbi: 9 }, "EXECUTABLE_WRONG_OS", /FreeBSD/, /GOOS=linux/, "started"],
      [
        "a program with libraries and no loader",
        { pie: true, needed: ["libc.so.6"] },
        "EXECUTABLE_NO_INTERPRETER",
        /names no interpreter/,
        /-static/,
        "started",
      ],
    ] as const
  ).map(([name, elf, code, message, hint, shown]) => ({
    name,
    files: { "/app": program(elf) },
    text: app,
    code,
    message,
    hint,
    repaired: { files: { "/app": program() } },
    ...(shown === undefined ? {} : { shown }),
  })),
  {
    name: "a program that ends too early",
    files: { "/app": executable(buildElf({ data: new Uint8Array(9000) }).subarray(0, 200)) },
    text: app,
    code: "EXECUTABLE_TRUNCATED",
    message: /ends before/,
    hint: /again/,
    repaired: { files: { "/app": program() } },
    shown: "started",
  },
  {
    name: "the first bytes of a program",
    files: { "/app": executable(buildElf({}).subarray(0, 40)) },
    text: app,
    code: "ELF_TRUNCATED",
    message: /40 bytes/,
    hint: /again/,
    repaired: { files: { "/app": program() } },
  },
];

const loaders: readonly Case[] = [
  {
    name: "a dynamic program without a loader",
    files: { "/app": program(dynamic) },
    text: app,
    code: "INTERPRETER_MISSING",
    message: /ENOENT.*interpreter \/lib64\/ld-linux-x86-64\.so\.2/,
    hint: /base with glibc/,
    repaired: { files: glibc },
  },
  {
    name: "musl's loader on a base of glibc",
    files: { ...glibc, "/app": program({ pie: true, interpreter: "/lib/ld-musl-x86_64.so.1" }) },
    text: app,
    code: "INTERPRETER_MISSING",
    message: /ld-musl/,
    hint: /base with musl/,
    repaired: { files: { "/app": program(dynamic) } },
  },
  {
    name: "a loader without x bit",
    files: { ...glibc, "/app": program(dynamic), [loader]: { content: glibcFile(loader), mode: 0o644 } },
    text: app,
    code: "INTERPRETER_NOT_EXECUTABLE",
    message: /ld-linux-x86-64\.so\.2 has mode 0644/,
    hint: /--chmod=755/,
    repaired: { files: glibc },
  },
  {
    name: "a loader of another machine",
    files: { ...glibc, "/app": program(dynamic), [loader]: program({ platform: arm64, soname: "ld.so" }) },
    text: app,
    code: "INTERPRETER_INVALID",
    message: /ELIBBAD/,
    hint: /program's platform/,
    repaired: { files: glibc },
  },
  {
    name: "a loader that is a script",
    files: { ...glibc, "/app": program(dynamic), [loader]: executable("#!/bin/sh\n") },
    text: app,
    code: "INTERPRETER_INVALID",
    message: /no ELF file/,
    hint: /base/,
    repaired: { files: glibc },
  },
  {
    name: "a loader in a directory that the user may not look into",
    files: { ...glibc, "/app": program(dynamic), "/lib64": { kind: "directory", mode: 0o700 } },
    text: `USER 1000\n${app}`,
    code: "INTERPRETER_UNREACHABLE",
    message: /\/lib64, which has mode 0700/,
    hint: /0755/,
    repaired: { files: { "/lib64": { kind: "directory", mode: 0o755 } } },
  },
  {
    name: "an interpreter that is cut",
    files: { ...glibc, [loader]: executable(glibcFile(loader).subarray(0, 9000)), "/app": program(dynamic) },
    text: app,
    code: "INTERPRETER_DAMAGED",
    message: /app crashes at once.*ends before what its headers promise/,
    hint: /Copy the interpreter again/,
    repaired: { files: glibc },
  },
  {
    name: "a library that is not there",
    files: { ...glibc, "/app": program({ ...dynamic, needed: ["libzoo.so.3", "libc.so.6"] }) },
    text: app,
    code: "LIBRARY_MISSING",
    message: /\/app needs libzoo\.so\.3/,
    hint: /Copy libzoo\.so\.3/,
    repaired: { files: { "/usr/lib/libzoo.so.3": program({ soname: "libzoo.so.3" }) } },
  },
  {
    name: "a library of a library that is not there",
    files: {
      ...glibc,
      "/app": program({ ...dynamic, needed: ["liba.so"] }),
      "/usr/lib/liba.so": program({ soname: "liba.so", needed: ["libb.so"] }),
    },
    text: app,
    code: "LIBRARY_MISSING",
    message: /liba\.so needs libb\.so/,
    hint: /Copy libb\.so/,
    repaired: { files: { "/usr/lib/libb.so": program({ soname: "libb.so" }) } },
  },
  {
    name: "a library of another machine",
    files: {
      ...glibc,
      "/app": program({ ...dynamic, needed: ["liba.so"] }),
      "/usr/lib/liba.so": program({ platform: arm64, soname: "liba.so" }),
    },
    text: app,
    code: "LIBRARY_MISSING",
    message: /needs liba\.so/,
    hint: /link statically/,
    repaired: { files: { "/usr/lib/liba.so": program({ soname: "liba.so" }) } },
  },
  {
    name: "a text where a library should be",
    files: {
      ...glibc,
      "/app": program({ ...dynamic, needed: ["liba.so"] }),
      "/usr/lib/liba.so": "INPUT(liba.so.1)\n",
    },
    text: app,
    code: "LIBRARY_INVALID",
    message: /invalid ELF header/,
    hint: /library for the program's platform/,
    repaired: { files: { "/usr/lib/liba.so": program({ soname: "liba.so" }) } },
  },
  {
    name: "a library outside of what the loader searches",
    files: {
      ...glibc,
      "/app": program({ ...dynamic, needed: ["liba.so"] }),
      "/opt/lib/liba.so": program({ soname: "liba.so" }),
    },
    text: app,
    code: "LIBRARY_MISSING",
    message: /liba\.so/,
    hint: /directory that the loader searches/,
    repaired: { text: `ENV LD_LIBRARY_PATH=/opt/lib\n${app}` },
  },
  {
    name: "a newer glibc than the base's",
    files: {
      ...glibc,
      "/app": program({ ...dynamic, versionNeeds: [{ library: "libc.so.6", versions: ["GLIBC_9.99"] }] }),
    },
    text: app,
    code: "LIBRARY_VERSION_MISSING",
    message: /GLIBC_9\.99.*GLIBC_2\.\d+ at most/,
    hint: /newer base/,
    repaired: { files: { "/app": program(dynamic) } },
  },
  {
    name: "a library that the user may not read",
    files: { ...glibc, "/app": program(dynamic), [libc]: { content: glibcFile(libc), mode: 0o600 } },
    text: `USER 1000\n${app}`,
    code: "LIBRARY_UNREADABLE",
    message: /may not read it/,
    hint: /mode 0755/,
    repaired: { files: glibc },
  },
];

const others: readonly Case[] = [
  {
    name: "a program that keeps its loader from the default directories",
    files: { ...glibc, "/app": program({ ...dynamic, flags1: 0x800 }) },
    text: app,
    code: "LIBRARY_MISSING",
    message: /needs libc\.so\.6/,
    hint: /directory that the loader searches/,
    repaired: {
      files: { "/app": program({ ...dynamic, flags1: 0x800, runpath: "/lib/x86_64-linux-gnu" }) },
    },
  },
  {
    name: "a library whose stand-in is not there",
    files: {
      ...glibc,
      "/app": program({ ...dynamic, needed: ["liba.so", "libc.so.6"] }),
      "/usr/lib/liba.so": program({ soname: "liba.so", filters: ["libb.so"] }),
    },
    text: app,
    code: "LIBRARY_MISSING",
    message: /liba\.so needs libb\.so/,
    hint: /Copy libb\.so/,
    repaired: { files: { "/usr/lib/libb.so": program({ soname: "libb.so" }) } },
  },
  {
    name: "musl's library that is not there",
    files: { ...musl, "/app": program({ ...dynamicMusl, needed: ["libzoo.so", "libc.so"] }) },
    text: app,
    code: "LIBRARY_MISSING",
    message: /\/app needs libzoo\.so/,
    hint: /Copy libzoo\.so/,
    repaired: { files: { "/usr/lib/libzoo.so": program({ soname: "libzoo.so" }) } },
  },
  {
    name: "musl's library in a directory that its path file leaves out",
    files: {
      ...musl,
      "/etc/ld-musl-x86_64.path": "/lib\n",
      "/app": program({ ...dynamicMusl, needed: ["libzoo.so", "libc.so"] }),
      "/usr/lib/libzoo.so": program({ soname: "libzoo.so" }),
    },
    text: app,
    code: "LIBRARY_MISSING",
    message: /\/app needs libzoo\.so/,
    hint: /directory that the loader searches/,
    repaired: { files: { "/etc/ld-musl-x86_64.path": "/lib\n/usr/lib\n" } },
  },
  {
    name: "a text where musl's library should be",
    files: {
      ...musl,
      "/app": program({ ...dynamicMusl, needed: ["libzoo.so", "libc.so"] }),
      "/usr/lib/libzoo.so": "INPUT(libzoo.so.1)\n",
    },
    text: app,
    code: "LIBRARY_INVALID",
    message: /libzoo\.so/,
    hint: /library for the program's platform/,
    repaired: { files: { "/usr/lib/libzoo.so": program({ soname: "libzoo.so" }) } },
  },
];

const scripts: readonly Case[] = [
  {
    name: "a script whose interpreter is not there",
    files: { "/app": executable("#!/bin/bash\n") },
    text: app,
    code: "SCRIPT_INTERPRETER_MISSING",
    message: /\/bin\/bash is not in the image/,
    hint: /base that has the interpreter/,
    repaired: { files: { ...shells, "/bin/bash": link("busybox"), "/app": executable("#!/bin/sh\n") } },
  },
  {
    name: "a script with CRLF line ends",
    files: { ...shells, "/app": executable("#!/bin/sh\r\nexit 0\r\n") },
    text: app,
    code: "SCRIPT_CARRIAGE_RETURN",
    message: /carriage return/,
    hint: /LF line ends/,
    repaired: { files: { "/app": executable("#!/bin/sh\nexit 0\n") } },
  },
  {
    name: "an interpreter without x bit",
    files: { "/bin/run": program({}, 0o644), "/app": executable("#!/bin/run\n") },
    text: app,
    code: "SCRIPT_INTERPRETER_NOT_EXECUTABLE",
    message: /\/bin\/run has mode 0644/,
    hint: /--chmod=755/,
    repaired: { files: { "/bin/run": program() } },
  },
  {
    name: "an interpreter that is a directory",
    files: { "/bin/run/it": program(), "/app": executable("#!/bin/run\n") },
    text: app,
    code: "SCRIPT_INTERPRETER_INVALID",
    message: /\/bin\/run is a directory/,
    hint: /Name the program/,
    repaired: { files: { "/app": executable("#!/bin/run/it\n") } },
  },
  {
    name: "an interpreter in a closed directory",
    files: {
      "/srv": { kind: "directory", mode: 0o700 },
      "/srv/run": program(),
      "/app": executable("#!/srv/run\n"),
    },
    text: `USER 1000\n${app}`,
    code: "SCRIPT_INTERPRETER_UNREACHABLE",
    message: /\/srv, which has mode 0700/,
    hint: /0755/,
    repaired: { files: { "/srv": { kind: "directory", mode: 0o755 } } },
  },
  {
    name: "an interpreter of another machine",
    files: { "/bin/run": program({ platform: arm64 }), "/app": executable("#!/bin/run\n") },
    text: app,
    code: "EXECUTABLE_WRONG_MACHINE",
    message: /for arm64.*\/app → #!\/bin\/run/,
    hint: /GOARCH=amd64/,
    repaired: { files: { "/bin/run": program() } },
  },
  {
    name: "an interpreter without its loader",
    files: { "/bin/run": program(dynamic), "/app": executable("#!/bin/run\n") },
    text: app,
    code: "INTERPRETER_MISSING",
    message: /#!\/bin\/run/,
    hint: /glibc/,
    repaired: { files: glibc },
  },
  {
    name: "a #! without a name",
    files: { "/app": executable("#! \nexit 0\n"), "/bin/run": program() },
    text: app,
    code: "SCRIPT_INTERPRETER_UNNAMED",
    message: /names no interpreter/,
    hint: /short line/,
    repaired: { files: { "/app": executable("#! /bin/run\n") } },
  },
  {
    name: "a first line that is too long",
    files: { "/app": executable(`#!${"/".repeat(254)}run\n`), "/run": program() },
    text: app,
    code: "SCRIPT_INTERPRETER_UNNAMED",
    message: /longer than the kernel reads/,
    hint: /short line/,
    repaired: { files: { "/app": executable(`#!${"/".repeat(200)}run\n`) } },
  },
  {
    name: "scripts that interpret scripts, six deep",
    files: {
      "/run": program(),
      ...Object.fromEntries(
        [1, 2, 3, 4, 5, 6].map((n) => [`/s${n}`, executable(`#!${n === 1 ? "/run" : `/s${n - 1}`}\n`)]),
      ),
    },
    text: start("/s6"),
    code: "SCRIPT_NESTED",
    message: /ELOOP/,
    hint: /interprets them all/,
    repaired: { text: start("/s5") },
  },
  {
    name: "env's program that PATH does not have",
    files: { ...envs, "/app": executable("#!/usr/bin/env python3\n") },
    text: app,
    code: "SCRIPT_INTERPRETER_MISSING",
    message: /python3 is not there in PATH/,
    hint: /python3/,
    repaired: { files: { "/usr/bin/python3": program() } },
  },
  {
    name: "env's program with an argument",
    files: { ...envs, "/usr/bin/run": program(), "/app": executable("#!/usr/bin/env run -u\n") },
    text: app,
    code: "SCRIPT_ENV_ARGUMENTS",
    message: /"run -u"/,
    hint: /env -S run -u/,
    repaired: { files: { "/app": executable("#!/usr/bin/env run\n") } },
  },
  {
    name: "env's program with a carriage return",
    files: { ...envs, "/usr/bin/run": program(), "/app": executable("#!/usr/bin/env run\r\n") },
    text: app,
    code: "SCRIPT_CARRIAGE_RETURN",
    message: /carriage return/,
    hint: /LF line ends/,
    repaired: { files: { "/app": executable("#!/usr/bin/env run\n") } },
  },
  {
    name: "a script that its user may execute and not read",
    files: { ...shells, "/app": executable("#!/bin/sh\n", 0o711) },
    text: `USER 1000\n${app}`,
    code: "SCRIPT_UNREADABLE",
    message: /the user 1000 may not read \/app, which sh does/,
    hint: /--chmod=755/,
    repaired: { files: { "/app": executable("#!/bin/sh\n", 0o755) } },
  },
];

const configurations: readonly Case[] = [
  {
    name: "a user that passwd does not have",
    files: { "/app": program() },
    text: `USER app\n${app}`,
    code: "USER_UNKNOWN",
    message: /user "app" is not in \/etc\/passwd/,
    hint: /by its number/,
    repaired: { files: withPasswd },
  },
  {
    name: "a group that group does not have",
    files: { ...withPasswd, "/app": program() },
    text: `USER app:web\n${app}`,
    code: "USER_UNKNOWN",
    message: /group "web" is not in \/etc\/group/,
    hint: /by its number/,
    repaired: { text: `USER app:app\n${app}` },
  },
];

function glibcFile(path: string): Uint8Array {
  return hasGlibc ? readFileSync(path) : new Uint8Array(0);
}

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-cannot-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const build = (text: string, files: Files, options: BuildOptions = {}) =>
  buildImage({
    dockerfile: { text: `FROM scratch\nCOPY root /\n${text}\n` },
    context: memoryTree({
      "/root": { kind: "directory", mode: 0o755 },
      ...Object.fromEntries(Object.entries(files).map(([path, file]) => [`/root${path}`, file])),
    }),
    executables: "any",
    cache: false,
    ...options,
  });

let count = 0;
async function exitOf(text: string, files: Files): Promise<number | string> {
  const layout = join(place, String(count++));
  const outputs = [{ type: "oci-layout", path: layout, tag: "1" }] as const;
  await using _ = await build(text, files, { preflight: "off", outputs });
  // Who makes the container's configuration looks users up as the runtimes do, and may give up before it starts.
  const started = await startImage({ layout, tag: "1", by: "runc" }).catch(String);
  if (typeof started === "string") return started;
  await using _started = started;
  return await started.ended;
}

const cases = {
  programs,
  "started programs": started,
  formats,
  "loaders and libraries": loaders,
  "other loaders": others,
  scripts,
  configurations,
} as const;

/** Whether a case has a file of the host that the host lacks. */
const lacksHost = ({ files = {}, repaired }: Case): boolean => {
  const has = (path: string): boolean => path in files || path in (repaired.files ?? {});
  const wantsMusl = Object.values(files).some((file) => isFor(file, muslLoader));
  return (has(loader) && !hasGlibc) || (wantsMusl && !hasMusl);
};

function isFor(file: MemoryFile, interpreter: string): boolean {
  return typeof file === "object" && "content" in file && Buffer.from(file.content).includes(interpreter);
}

describe.each(Object.entries(cases))("%s that cannot start", (_, some) => {
  for (const one of some) {
    const { name, files = {}, text, code, message, hint, repaired, shown } = one;
    const fixed = { files: { ...files, ...repaired.files }, text: repaired.text ?? text };

    test.skipIf(lacksHost(one))(`${name}: refused as ${code}, accepted when repaired`, async () => {
      await expect(build(text, files)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      });
      await using image = await build(fixed.text, fixed.files);
      expect(image.proof?.ok).toBe(true);
      expect(JSON.parse(JSON.stringify(image.proof))).toEqual(image.proof);
    });

    const needs = ["runc", ...startTools, ...(files["/bin/busybox"] === undefined ? [] : ["busybox"])];
    if ("/usr/bin/tini" in files) needs.push("musl-gcc");
    const cannot = lacksRoot || lacks(...needs) || lacksHost(one);
    test.skipIf(cannot || shown !== undefined)(`${name}: so it is in a container`, async () => {
      expect(await exitOf(text, files)).not.toBe(0);
      expect(await exitOf(fixed.text, fixed.files)).toBe(0);
    });
  }
});

test("there are more than forty", () => {
  const all = Object.values(cases).flat();
  expect(all.length).toBeGreaterThan(40);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

test("a device in an archive is no program", async () => {
  const device = {
    header: { path: "app", kind: "character-device", mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 0 },
  } as const;
  const tar = await readAll(writeTar([{ header: { ...device.header, deviceMajor: 1, deviceMinor: 3 } }]));
  const options = { executables: "any", cache: false, context: memoryTree({ "/a.tar": tar }) } as const;
  const dockerfile = { text: `FROM scratch\nADD a.tar /\n${app}\n` };
  await expect(buildImage({ ...options, dockerfile })).rejects.toMatchObject({ code: "ENTRYPOINT_NOT_FILE" });
});

test("a program in an archive is judged as any other", async () => {
  const content = buildElf({ platform: arm64 });
  const header = { path: "app", kind: "file", mode: 0o755, uid: 0, gid: 0, mtime: 0 } as const;
  const tar = await readAll(writeTar([{ header: { ...header, size: content.byteLength }, body: content }]));
  const options = { executables: "any", cache: false, context: memoryTree({ "/a.tar": tar }) } as const;
  const dockerfile = { text: `FROM scratch\nADD a.tar /\n${app}\n` };
  await expect(buildImage({ ...options, dockerfile })).rejects.toMatchObject({
    code: "EXECUTABLE_WRONG_MACHINE",
  });
});
