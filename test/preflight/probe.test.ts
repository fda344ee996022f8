import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage, memoryTree } from "@undocked/core";
import { probeImage, type ProbeOptions } from "@undocked/core/probe";
import { buildServer } from "../../examples/eywa/build.ts";
import { mainIn } from "../support/main-in.ts";
import { lacks } from "../support/tools.ts";

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

async function probe(source: string, options: ProbeOptions = {}, text = 'ENTRYPOINT ["/app"]') {
  const [from, to] = [join(place, "app.c"), join(place, "app")];
  writeFileSync(from, source);
  execFileSync("gcc", ["-static", "-O1", "-w", "-o", to, from], { timeout: 60_000 });
  await using image = await buildImage({
    project: place,
    dockerfile: { text: `FROM scratch\nCOPY app /app\n${text}\n` },
    files: [{ from: "app", to: "app" }],
    cache: false,
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
