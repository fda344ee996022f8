import { expect, test } from "vitest";
import { parseWrapperCommand } from "./wrapper-command.ts";

test.each([
  [
    ["/sbin/tini", "--", "/app", "-x"],
    ["/app", "-x"],
  ],
  [["/usr/bin/tini", "-g", "-p", "SIGTERM", "-e", "143", "app"], ["app"]],
  [["tini-static", "-vvs", "/app"], ["/app"]],
  [["/dev/init/docker-init", "--", "/app"], ["/app"]],
  [["dumb-init", "--single-child", "--rewrite", "15:3", "/app"], ["/app"]],
  [
    ["dumb-init", "-r15:3", "-c", "sh", "-c", "x"],
    ["sh", "-c", "x"],
  ],
  [["nice", "-n", "5", "/app"], ["/app"]],
  [
    ["timeout", "-s", "KILL", "10", "/app", "a"],
    ["/app", "a"],
  ],
  [["nohup", "/app"], ["/app"]],
  [["stdbuf", "-oL", "/app"], ["/app"]],
  // Options that nobody here knows may take a value or not.
  [["tini", "--unknown", "/app"], undefined],
  [["timeout", "10"], undefined],
  [["tini"], undefined],
  [["/app", "--", "/b"], undefined],
] as const)("%j starts %j", ([path, ...args], words) => {
  expect(parseWrapperCommand(path, args)?.words).toEqual(words);
});

test("gosu and su-exec become somebody before", () => {
  expect(parseWrapperCommand("/usr/bin/gosu", ["app:web", "/run", "-d"])).toEqual({
    user: "app:web",
    words: ["/run", "-d"],
  });
  expect(parseWrapperCommand("su-exec", ["1000"])).toBeUndefined();
  expect(parseWrapperCommand("gosu", ["--version"])).toBeUndefined();
});
