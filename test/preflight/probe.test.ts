import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { buildImage, memoryTree } from "@undocked/core";
import { probeImage, type ProbeOptions } from "@undocked/core/probe";
import { memoryStore } from "@undocked/registry";
import { buildServer } from "../../examples/eywa/build.ts";
import { mainIn } from "../support/main-in.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

/** A server of a few lines that listens on an address. */
const server = (address: string, reply: string): string => `
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8082)};
  inet_pton(AF_INET, "${address}", &at.sin_addr);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(s, (struct sockaddr *)&at, sizeof at) || listen(s, 8)) return 3;
  for (;;) {
    int c = accept(s, 0, 0);
    char in[1024];
    if (read(c, in, sizeof in) > 0) write(c, ${JSON.stringify(reply)}, strlen(${JSON.stringify(reply)}));
    close(c);
  }
}
`;
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-probing-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

function compile(source: string, name: string, ...flags: readonly string[]): string {
  const [from, to] = [join(place, `${name}.c`), join(place, name)];
  writeFileSync(from, source);
  execFileSync("gcc", [...flags, "-O1", "-w", "-o", to, from], { timeout: 60_000 });
  return to;
}

async function probe(source: string, options: ProbeOptions = {}, text = 'ENTRYPOINT ["/app"]') {
  compile(source, "app", "-static");
  await using image = await buildImage({
    project: place,
    dockerfile: { text: `FROM scratch\nCOPY app /app\n${text}\n` },
    files: [{ from: "app", to: "app" }],
    cache: false,
    preflight: "off",
  });
  return await probeImage(image.root, image.store, { timeoutMs: 5000, ...options });
}

/** The command, in the place of these tests. */
const command = (...argv: readonly string[]) => mainIn(place, argv);

/** Some kernels let only root do it. */
function isForbidden(): boolean {
  const args = ["--user", "--map-root-user", "--net", "true"];
  return process.getuid?.() !== 0 && spawnSync("unshare", args, { timeout: 10_000 }).status !== 0;
}

const missing = process.platform !== "linux" || lacks("gcc", "unshare", "ip") || isForbidden();

const noRust = process.platform !== "linux" || lacks("rustc", "unshare", "ip") || isForbidden();

describe.skipIf(noRust)("a probe of a static server of Rust", () => {
  test("by the command sees it answer", { timeout: 120_000 }, async () => {
    const layout = join(place, "rust");
    await using image = await buildServer({
      language: "rust",
      cache: false,
      outputs: [{ type: "oci-layout", path: layout, tag: "1" }],
    });
    expect(image.proof).toMatchObject({ ok: true, findings: [] });
    const { code, stdout, stderr } = await command("probe", `${layout}:1`);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^127\.0\.0\.2:8082 answered 200; .* first byte after [\d.]+ ms; listens at /);
  });
});

describe.skipIf(missing)("a probe", () => {
  test("of the second seed's server tells status, times and addresses", async () => {
    await using image = await buildServer({ language: "c", cache: false });
    const result = await probeImage(image.root, image.store);
    expect(result, result.output).toMatchObject({ ok: true, status: 200, findings: [] });
    expect(result.answered).toEqual(expect.arrayContaining(["127.0.0.1", "127.0.0.2"]));
    expect(result.firstByteMs).toBeGreaterThanOrEqual(0);
  });

  test("of a server on 127.0.0.2 alone is answered there alone", async () => {
    const result = await probe(server("127.0.0.2", ok));
    expect(result, result.output).toMatchObject({ ok: true, status: 200, answered: ["127.0.0.2"] });
  });

  test("of a server on 127.0.0.1 alone says so", async () => {
    const { findings, answered } = await probe(server("127.0.0.1", ok));
    expect(answered).toEqual(["127.0.0.1"]);
    expect(findings).toMatchObject(
      [{ code: "PROBE_WRONG_ADDRESS", message: /127\.0\.0\.1:8082 alone/, hint: /0\.0\.0\.0:8082/ }].map(
        (finding) => ({
          ...finding,
          message: expect.stringMatching(finding.message),
          hint: expect.stringMatching(finding.hint),
        }),
      ),
    );
  });

  test("of something that speaks no HTTP says so", async () => {
    const { findings } = await probe(server("0.0.0.0", "hello\n"));
    expect(findings.map(({ code }) => code)).toEqual(["PROBE_NOT_HTTP"]);
  });

  test("of a program that ends has its code and its words", async () => {
    const { findings } = await probe('int puts(const char *);int main(void){puts("no database");return 7;}');
    expect(findings.map(({ code, message }) => [code, /exit code 7.*no database/.test(message)])).toEqual([
      ["PROBE_ENDED", true],
    ]);
  });

  test("of a program that listens nowhere ends in time", async () => {
    const { findings } = await probe("int pause(void);int main(void){pause();}", { timeoutMs: 500 });
    expect(findings.map(({ code }) => code)).toEqual(["PROBE_SILENT"]);
  });

  test("asks another port and path, and sees nothing but loopback", async () => {
    const result = await probe(server("0.0.0.0", ok).replace("8082", "9000"), {
      port: 9000,
      path: "/health",
    });
    expect(result.status).toBe(200);
    const connecting = `
      #include <arpa/inet.h>
      #include <errno.h>
      #include <sys/socket.h>
      int main(void) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
        inet_pton(AF_INET, "192.0.2.1", &at.sin_addr);
        connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&at, sizeof at);
        return errno == ENETUNREACH ? 42 : 1;
      }`;
    expect((await probe(connecting)).ended).toBe("exit code 42");
  });

  test("leaves nothing behind, whatever the program starts", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("undocked-probe-"));
    const forking = "int fork(void);int pause(void);int main(void){fork();fork();pause();}";
    await probe(forking, { timeoutMs: 300 });
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("undocked-probe-"))).toEqual(before);
    const running = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).split("\n");
    expect(running.filter((line) => line.trim() === "/app")).toEqual([]);
  });

  test("by the command prints what it saw, and ends with 0 or 1", async () => {
    await using image = await buildServer({
      language: "c",
      cache: false,
      outputs: [{ type: "oci-layout", path: join(place, "layout"), tag: "1" }],
    });
    expect(image.proof?.ok).toBe(true);
    const run = (...argv: readonly string[]) => command("probe", ...argv);
    expect(await run("layout")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^127\.0\.0\.2:8082 answered 200; .* first byte after [\d.]+ ms; listens at /,
      ),
    });
    const silent = await run("layout:1", "--port", "9999", "--timeout", "1");
    expect([silent.code, silent.stderr.includes("PROBE_SILENT")]).toEqual([1, true]);
    expect((await run("layout", "--address", "192.0.2.1")).code).toBe(2);
    expect((await run("layout", "--address", "127.0.0.999")).code).toBe(2);
    expect((await run("layout", "--port", "0")).code).toBe(2);
    expect((await run("layout", "--timeout", "soon")).code).toBe(2);
    expect((await run("layout", "layout")).code).toBe(2);
    expect((await run("app.c")).stderr).toContain("is a file and no archive of images");
    mkdirSync(join(place, "nothing"));
    expect((await run("nothing")).stderr).toContain("LAYOUT_INVALID");
  });

  test("lets the image's environment act on the image's program alone", async () => {
    chmodSync(place, 0o755);
    const open = join(place, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    const seen = join(open, "seen");
    const hook = compile(
      `#include <fcntl.h>
      __attribute__((constructor)) void act(void) { open("${seen}", O_CREAT | O_WRONLY, 0666); }`,
      "hook.so",
      "-shared",
      "-fPIC",
    );
    writeFileSync(join(open, "libc.so.6"), "");
    const environment = `ENV LD_PRELOAD=${hook} LD_LIBRARY_PATH=${open} my.name=1\n`;
    const telling =
      "int puts(const char *);extern char **environ;int main(void){for(char **e=environ;*e;e++)puts(*e);return 7;}";
    const { ended, output } = await probe(telling, {}, `${environment}ENTRYPOINT ["/app"]`);
    expect(ended, output).toBe("exit code 7");
    expect(existsSync(seen)).toBe(false);
    expect(output.split("\n")).toEqual(
      expect.arrayContaining([`LD_PRELOAD=${hook}`, `LD_LIBRARY_PATH=${open}`, "my.name=1"]),
    );
  });

  test("keeps the host's files from a program that changes its root again", async () => {
    chmodSync(place, 0o755);
    const leaving = `
      #include <sys/stat.h>
      #include <unistd.h>
      int main(void) {
        mkdir("/deeper", 0755);
        if (chroot("/deeper")) return 2;
        for (int i = 0; i < 32; i++) chdir("..");
        return access("${place.slice(1)}", F_OK) == 0 ? 1 : 42;
      }`;
    expect((await probe(leaving)).ended).toBe("exit code 42");
  });

  test("gives the program what every runtime gives", async () => {
    const using = `
      #define _GNU_SOURCE
      #include <errno.h>
      #include <fcntl.h>
      #include <stdio.h>
      #include <stdlib.h>
      #include <sys/mman.h>
      #include <sys/stat.h>
      #include <unistd.h>
      #define NEED(what) if (!(what)) { puts(#what); faults++; }
      int main(void) {
        int faults = 0;
        struct stat at;
        NEED(shm_open("/shared", O_CREAT | O_RDWR, 0600) >= 0);
        NEED(stat("/dev/shm", &at) == 0 && (at.st_mode & 07777) == 01777);
        NEED(open("/dev/fd/1", O_WRONLY) >= 0);
        NEED(open("/dev/stdin", O_RDONLY) >= 0);
        NEED(open("/dev/stdout", O_WRONLY) >= 0);
        NEED(open("/dev/stderr", O_WRONLY | O_APPEND) >= 0);
        NEED(open("/dev/null", O_RDWR) >= 0);
        int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);
        NEED(terminal >= 0 && unlockpt(terminal) == 0 && open(ptsname(terminal), O_RDWR | O_NOCTTY) >= 0);
        NEED(open("/dev/tty", O_RDWR) < 0 && errno == ENXIO);
        NEED(access("/sys/kernel", F_OK) == 0);
        NEED(access("/proc/self/status", F_OK) == 0);
        return faults == 0 ? 42 : 1;
      }`;
    const { ended, output } = await probe(using);
    expect([ended, output]).toEqual(["exit code 42", ""]);
  });

  test.each([
    ["that has none", ""],
    ["that has its own", "COPY own /etc/hosts\nCOPY own /etc/hostname\nCOPY own /etc/resolv.conf\n"],
  ])("has the files of names for an image %s", async (_, text) => {
    writeFileSync(join(place, "own"), "192.0.2.1 nobody\n");
    const naming = `
      #include <stdio.h>
      #include <string.h>
      #include <unistd.h>
      int main(void) {
        char name[256] = "", read[256] = "", line[256] = "";
        gethostname(name, 255);
        FILE *f = fopen("/etc/hostname", "r");
        if (!f || !fgets(read, 256, f) || strncmp(read, name, strlen(name))) return 1;
        if (!(f = fopen("/etc/resolv.conf", "r")) || !fgets(line, 256, f)) return 2;
        if (strcmp(line, "nameserver 127.0.0.1\\n")) return 3;
        f = fopen("/etc/hosts", "r");
        while (f && fgets(line, 256, f)) if (strstr(line, name)) return 42;
        return 4;
      }`;
    compile(naming, "app", "-static");
    await using image = await buildImage({
      project: place,
      dockerfile: { text: `FROM scratch\n${text}COPY app /app\nENTRYPOINT ["/app"]\n` },
      files: ["app", "own"].map((name) => ({ from: name, to: name })),
      cache: false,
      preflight: "off",
    });
    const { ended, output } = await probeImage(image.root, image.store);
    expect([ended, output]).toEqual(["exit code 42", ""]);
  });

  test.skipIf(lacksRoot)("by root lets the program become another user", async () => {
    const becoming = `
      #include <fcntl.h>
      #include <grp.h>
      #include <stdio.h>
      #include <unistd.h>
      int main(void) {
        if (chown("/app", 101, 102)) return perror("chown"), 1;
        gid_t groups[] = {102, 103};
        if (setgroups(2, groups) || setgid(102) || setuid(101)) return perror("become"), 2;
        return getuid() == 101 && setuid(0) != 0 ? 42 : 3;
      }`;
    const { ended, output } = await probe(becoming);
    expect([ended, output]).toEqual(["exit code 42", ""]);
  });

  test("of an answer that trickles ends in its time", async () => {
    const trickling = `
      #include <arpa/inet.h>
      #include <signal.h>
      #include <sys/socket.h>
      #include <unistd.h>
      int main(void) {
        signal(SIGPIPE, SIG_IGN);
        int s = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8082)};
        if (bind(s, (struct sockaddr *)&at, sizeof at) || listen(s, 8)) return 3;
        for (;;) {
          int c = accept(s, 0, 0);
          write(c, "HTTP/1.1 200 OK\\r\\nX: ", 20);
          while (write(c, "a", 1) == 1) usleep(100000);
          close(c);
        }
      }`;
    const { findings } = await probe(trickling, { timeoutMs: 1000 });
    expect(findings.map(({ code }) => code)).toEqual(["PROBE_NOT_HTTP"]);
  });

  test.each(["/a b", "/a\tb", "/a\r\nX: 1", "a", "/é"])("of the path %j is refused at once", async (path) => {
    const blob = { mediaType: "application/json", digest: `sha256:${"0".repeat(64)}`, size: 0 } as const;
    await expect(probeImage(blob, memoryStore(), { path })).rejects.toMatchObject({
      code: "PROBE_PATH_INVALID",
    });
    const { code, stderr } = await command("probe", "nowhere", "--path", path);
    // The command puts the / before it.
    expect(code).toBe(path === "a" ? 1 : 2);
    expect(stderr.includes("--path takes visible ASCII")).toBe(path !== "a");
  });

  test("of a text without #! says what the kernel says", async () => {
    await using image = await buildImage({
      dockerfile: { text: 'FROM scratch\nCOPY start /start\nENTRYPOINT ["/start"]\n' },
      context: memoryTree({ start: { mode: 0o755, content: "exec /app\n" } }),
      cache: false,
      preflight: "off",
    });
    const { findings, ended } = await probeImage(image.root, image.store);
    expect(ended).toBe('exec "/start": exec format error');
    expect(findings.map(({ code }) => code)).toEqual(["PROBE_ENDED"]);
  });

  describe("by the program", () => {
    const bin = fileURLToPath(new URL("../../packages/cli/dist/undocked.js", import.meta.url));

    async function layoutOf(source: string): Promise<string> {
      chmodSync(place, 0o755);
      compile(source, "app", "-static");
      const path = mkdtempSync(join(place, "layout-"));
      await using _ = await buildImage({
        project: place,
        dockerfile: { text: 'FROM scratch\nCOPY app /app\nENTRYPOINT ["/app"]\n' },
        files: [{ from: "app", to: "app" }],
        cache: false,
        preflight: "off",
        outputs: [{ type: "oci-layout", path, tag: "1" }],
      });
      execFileSync("chmod", ["-R", "a+rX", path], { timeout: 10_000 });
      return path;
    }

    function temporary(): string {
      const directory = mkdtempSync(join(place, "tmp-"));
      chmodSync(directory, 0o777);
      return directory;
    }

    test("as an ordinary user removes also what nobody may look into", async () => {
      const locking =
        'int main(void){mkdir("/a",0700);mkdir("/a/b",0700);close(creat("/a/b/c",0));chmod("/a/b",0);chmod("/a",0);return 7;}';
      const layout = await layoutOf(locking);
      const directory = temporary();
      const ordinary = lacksRoot ? {} : { uid: 1000, gid: 1000 };
      const { status, stderr } = spawnSync(process.execPath, [bin, "probe", `${layout}:1`], {
        cwd: "/",
        env: { TMPDIR: directory, HOME: directory },
        encoding: "utf8",
        timeout: 60_000,
        ...ordinary,
      });
      expect(stderr).toMatch(/exit code 7[^]*no id but 0 here/);
      expect([status, readdirSync(directory)]).toEqual([1, []]);
    });

    test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("leaves nothing behind at %s", async (signal) => {
      const layout = await layoutOf("int pause(void);int main(void){pause();}");
      const directory = temporary();
      const child = spawn(process.execPath, [bin, "probe", `${layout}:1`, "--timeout", "60"], {
        cwd: "/",
        env: { TMPDIR: directory, HOME: directory },
        stdio: "ignore",
      });
      const ended = new Promise((resolve) => child.once("close", resolve));
      await vi.waitUntil(() => readdirSync(directory).some((name) => name.startsWith("undocked-probe-")), {
        timeout: 30_000,
      });
      child.kill(signal);
      expect([await ended, readdirSync(directory)]).toEqual([1, []]);
    });
  });

  test("of an image without a command, or for another machine, is refused", async () => {
    await using base = await buildImage({
      dockerfile: { text: "FROM scratch\nENV A=1\n" },
      context: memoryTree({}),
      cache: false,
    });
    await expect(probeImage(base.root, base.store)).rejects.toMatchObject({ code: "PROBE_COMMAND_MISSING" });
    const platform = process.arch === "x64" ? "linux/s390x" : "linux/amd64";
    await using other = await buildImage({
      dockerfile: { text: 'FROM scratch\nENV A=1\nCMD ["/a"]\n' },
      context: memoryTree({}),
      cache: false,
      preflight: "off",
      platforms: [platform],
    });
    await expect(probeImage(other.root, other.store)).rejects.toMatchObject({ code: "PROBE_UNSUPPORTED" });
  });
});
