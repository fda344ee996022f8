import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeLogin, storeLogin, type LoginOptions } from "./login.ts";
import { storedCredentials } from "./stored-credentials.ts";

let home: string;
let options: LoginOptions;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "undocked-login-"));
  options = { home, environment: { DOCKER_CONFIG: home } };
});
afterEach(() => rm(home, { recursive: true, force: true }));

const stored = (registry: string, from = options) => storedCredentials(from)({ registry, repository: "a" });
const config = async (): Promise<unknown> => JSON.parse(await readFile(join(home, "config.json"), "utf8"));
const login = { username: "user", password: "p:äss" };

describe("a login", () => {
  test.each(["ghcr.io", "localhost:5000", "[::1]:5000", "docker.io"])(
    "for %s is found again",
    async (host) => {
      await storeLogin(host, login, options);
      expect(await stored(host)).toEqual(login);
      expect(await removeLogin(host, options)).toBe(true);
      expect(await stored(host)).toBeUndefined();
      expect(await removeLogin(host, options)).toBe(false);
    },
  );

  test("lies in a file that only its owner reads, and nothing lies beside it", async () => {
    await storeLogin("ghcr.io", login, options);
    expect((await stat(join(home, "config.json"))).mode & 0o777).toBe(0o600);
    expect(await readdir(home)).toEqual(["config.json"]);
  });

  test("leaves what else the file holds, and a link a link", async () => {
    const other = { auths: { "quay.io": { auth: "YTpi" } }, HttpHeaders: { A: "b" }, psFormat: "x" };
    await writeFile(join(home, "real.json"), JSON.stringify(other));
    await symlink("real.json", join(home, "config.json"));
    await storeLogin("https://index.docker.io/v1/", login, options);
    expect(await config()).toEqual({
      ...other,
      auths: { ...other.auths, "https://index.docker.io/v1/": { auth: "dXNlcjpwOsOkc3M=" } },
    });
    expect((await readdir(home)).sort()).toEqual(["config.json", "real.json"]);
    await removeLogin("docker.io", options);
    expect(await config()).toEqual(other);
  });

  test("with an identity token is found again", async () => {
    await storeLogin("acr.example", { identityToken: "T" }, options);
    expect(await stored("acr.example")).toEqual({ identityToken: "T" });
  });

  test("goes to REGISTRY_AUTH_FILE where that is set", async () => {
    const file = join(home, "podman", "auth.json");
    const own = { home, environment: { REGISTRY_AUTH_FILE: file } };
    expect(await storeLogin("quay.io", login, own)).toBe(file);
    expect(await stored("quay.io", own)).toEqual(login);
  });

  test.each(["", "a b", "-a"])("for %j is refused", async (host) => {
    await expect(storeLogin(host, login, options)).rejects.toMatchObject({ code: "CREDENTIAL_FILE_INVALID" });
  });

  test("does not replace a file that is not JSON", async () => {
    await writeFile(join(home, "config.json"), "{ broken");
    await expect(storeLogin("ghcr.io", login, options)).rejects.toMatchObject({
      code: "CREDENTIAL_FILE_INVALID",
    });
    expect(await readFile(join(home, "config.json"), "utf8")).toBe("{ broken");
  });
});

describe("a credential helper", () => {
  /** A helper that keeps its last input in a file. */
  const helper = async (name: string, script: string): Promise<LoginOptions> => {
    await writeFile(join(home, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
    await chmod(join(home, `docker-credential-${name}`), 0o755);
    const { runHelper } = await import("./helper.ts");
    return { ...options, runHelper: (program, ...rest) => runHelper(join(home, program), ...rest) };
  };

  test("is given the login and later told to forget it", async () => {
    await writeFile(join(home, "config.json"), JSON.stringify({ credsStore: "a" }));
    const own = await helper("a", `cat > ${home}/$1.in`);
    expect(await storeLogin("ghcr.io", login, own)).toBe("docker-credential-a");
    expect(JSON.parse(await readFile(join(home, "store.in"), "utf8"))).toEqual({
      ServerURL: "ghcr.io",
      Username: "user",
      Secret: "p:äss",
    });
    expect(await config()).toEqual({ credsStore: "a", auths: { "ghcr.io": {} } });
    expect(await removeLogin("ghcr.io", own)).toBe(true);
    expect(await readFile(join(home, "erase.in"), "utf8")).toBe("ghcr.io\n");
    expect(await config()).toEqual({ credsStore: "a", auths: {} });
  });

  test("that fails is told, without what it was given", async () => {
    await writeFile(join(home, "config.json"), JSON.stringify({ credHelpers: { "ghcr.io": "b" } }));
    const own = await helper("b", "cat; exit 1");
    const error = await storeLogin("ghcr.io", login, own).catch((it: unknown) => it);
    expect(error).toMatchObject({ code: "CREDENTIAL_HELPER_FAILED" });
    expect(JSON.stringify(error) + String(error)).not.toContain("p:äss");
  });
});
