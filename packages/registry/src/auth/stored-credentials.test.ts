import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runHelper, type HelperOutcome } from "./helper.ts";
import { storedCredentials, type StoredCredentialsOptions } from "./stored-credentials.ts";

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString("base64") });

/** Files of a machine that is not this one. */
function machine(
  files: Readonly<Record<string, unknown>>,
  more: Partial<StoredCredentialsOptions> = {},
): StoredCredentialsOptions & { readonly read: string[] } {
  const read: string[] = [];
  return {
    read,
    environment: { HOME: "/h" },
    home: "/h",
    readFile: async (path) => {
      read.push(path);
      const file = files[path];
      return file === undefined || typeof file === "string" ? file : JSON.stringify(file);
    },
    runHelper: async () => ({ kind: "not-found" }),
    ...more,
  };
}
const target = { registry: "reg.example", repository: "a/b" };

describe("stored logins", () => {
  test("are read when somebody asks, and once", async () => {
    const options = machine({ "/h/.docker/config.json": { auths: { "reg.example": auth("u:p") } } });
    const source = storedCredentials(options);
    expect(options.read).toEqual([]);
    expect(await source(target)).toEqual({ username: "u", password: "p" });
    const reads = options.read.length;
    expect(await source({ ...target, registry: "other.example" })).toBeUndefined();
    expect(options.read).toHaveLength(reads);
  });

  test("come from the first place with an answer, not from the first place", async () => {
    const source = storedCredentials(
      machine({
        "/h/.docker/config.json": { auths: { "other.example": auth("x:y") } },
        "/h/.config/containers/auth.json": {
          auths: { "reg.example/a": auth("podman:p"), "reg.example": auth("z:z") },
        },
      }),
    );
    expect(await source(target)).toEqual({ username: "podman", password: "p" });
  });

  test("in DOCKER_AUTH_CONFIG come first, and name no helper", async () => {
    let ran = 0;
    const inline = JSON.stringify({ credsStore: "evil", auths: { "in.example": auth("i:n") } });
    const source = storedCredentials(
      machine(
        { "/h/.docker/config.json": { auths: { "reg.example": auth("u:p") } } },
        {
          environment: { DOCKER_AUTH_CONFIG: inline },
          runHelper: async () => {
            ran += 1;
            return { kind: "not-found" };
          },
        },
      ),
    );
    expect(await source({ registry: "in.example", repository: "x" })).toEqual({
      username: "i",
      password: "n",
    });
    expect(await source(target)).toEqual({ username: "u", password: "p" });
    expect(ran).toBe(0);
  });

  test("from a helper are asked for once, and before the file's own", async () => {
    const keys: string[] = [];
    const source = storedCredentials(
      machine(
        { "/h/.docker/config.json": { credsStore: "store", auths: { "reg.example": auth("file:x") } } },
        {
          runHelper: async (program, key): Promise<HelperOutcome> => {
            keys.push(`${program} ${key}`);
            return { kind: "exit", code: 0, stdout: '{"Username":"u","Secret":"s"}' };
          },
        },
      ),
    );
    expect(await source(target)).toEqual({ username: "u", password: "s" });
    await source(target);
    expect(keys).toEqual(["docker-credential-store reg.example"]);
  });

  test("are looked for elsewhere, with a warning, where a helper fails", async () => {
    const warnings: string[][] = [];
    const source = storedCredentials(
      machine(
        { "/h/.docker/config.json": { credsStore: "gone", auths: { "reg.example": auth("file:x") } } },
        { onWarning: (...warning) => warnings.push(warning) },
      ),
    );
    expect(await source(target)).toEqual({ username: "file", password: "x" });
    expect(warnings).toEqual([
      ["The credential helper docker-credential-gone is not installed.", "CREDENTIAL_HELPER_NOT_FOUND"],
    ]);
  });

  test("in a file that was named and is not there are an error", async () => {
    const source = storedCredentials(machine({}, { environment: { REGISTRY_AUTH_FILE: "/none" } }));
    await expect(source(target)).rejects.toMatchObject({ code: "CREDENTIAL_FILE_INVALID" });
  });

  test.each(["{", "[]", "1", "null", `{"auths":${"[".repeat(100_000)}`])(
    "in a file that is none (%#) are an error that tells nothing of it",
    async (content) => {
      const source = storedCredentials(machine({ "/h/.docker/config.json": content }));
      await expect(source(target)).rejects.toMatchObject({ code: "CREDENTIAL_FILE_INVALID" });
    },
  );

  test("beside a broken entry are found", async () => {
    const source = storedCredentials(
      machine({
        "/h/.docker/config.json": {
          auths: { x: 1, y: null, z: { auth: 5 }, "reg.example": auth("u:p") },
          credHelpers: { q: 1 },
        },
      }),
    );
    expect(await source(target)).toEqual({ username: "u", password: "p" });
  });
});

test.each(["reg.example/", "https://reg.example/", "reg.example/v2", "REG.example"])(
  "a login that was stored under %s is found",
  async (key) => {
    const source = storedCredentials(
      machine({ "/h/.docker/config.json": { auths: { [key]: auth("u:p") } } }),
    );
    expect(await source(target)).toEqual({ username: "u", password: "p" });
  },
);

test("a login that was stored for a namespace is for no other", async () => {
  const source = storedCredentials(
    machine({ "/h/.docker/config.json": { auths: { "reg.example/z": auth("u:p") } } }),
  );
  expect(await source(target)).toBeUndefined();
});

describe("a helper program", () => {
  async function withProgram<T>(script: string, use: (path: string) => Promise<T>): Promise<T> {
    const directory = await mkdtemp(join(tmpdir(), "undocked-helper-"));
    const path = join(directory, "docker-credential-test");
    try {
      await writeFile(path, `#!/bin/sh\n${script}\n`);
      await chmod(path, 0o755);
      return await use(path);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  test("gets the key on its input and is not run by a shell", async () => {
    const script = 'read key; printf \'{"Username":"%s","Secret":"%s"}\' "$1" "$key"';
    const outcome = await withProgram(script, (path) => runHelper(path, "https://reg/$(id);x"));
    expect(outcome).toEqual({
      kind: "exit",
      code: 0,
      stdout: '{"Username":"get","Secret":"https://reg/$(id);x"}',
    });
  });

  test.each([
    ["exit 3", { kind: "exit", code: 3, stdout: "" }],
    ["kill -9 $$", { kind: "killed" }],
    ["head -c 3000000 /dev/zero", { kind: "too-large" }],
  ])("that does %s is told", async (script, expected) => {
    expect(await withProgram(script, (path) => runHelper(path, "k"))).toEqual(expected);
  });

  test("that is not there is told", async () => {
    expect(await runHelper("/none/docker-credential-x", "k")).toEqual({ kind: "not-found" });
  });
});
