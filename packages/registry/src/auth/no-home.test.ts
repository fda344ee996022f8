import { describe, expect, test } from "vitest";
import { findAwsKey } from "./aws-key.ts";
import { storeLogin } from "./login.ts";
import { credentialPlaces } from "./search-path.ts";

describe("without a home", () => {
  test("logins are looked for at the places that need none", () => {
    const names = (environment: Record<string, string>): readonly string[] =>
      credentialPlaces(environment, undefined, 1000).map(({ name }) => name);
    expect(names({})).toEqual(["/run/containers/1000/auth.json"]);
    expect(names({ XDG_CONFIG_HOME: "/c" })).toContain("/c/containers/auth.json");
    expect(names({ DOCKER_CONFIG: "/d" })).toEqual(["/d/config.json"]);
  });

  test("there is no file with keys of AWS", async () => {
    const readFile = (path: string) => Promise.reject(new Error(path));
    expect(await findAwsKey({ environment: {}, home: undefined, readFile })).toBeUndefined();
  });

  test("a login is not stored, and it is told what to set", async () => {
    await expect(
      storeLogin("registry.example", { username: "a", password: "b" }, { environment: {}, home: "" }),
    ).rejects.toMatchObject({
      code: "CREDENTIAL_FILE_INVALID",
      hint: expect.stringContaining("DOCKER_CONFIG"),
    });
  });
});
