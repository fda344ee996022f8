import { registryClient } from "@undocked/registry";
import { startRegistry, type RegistryAuth } from "@undocked/registry/server";
import { describe, expect, test } from "vitest";

const users = { user: "password" };
const ways: readonly (readonly [string, RegistryAuth])[] = [
  ["Basic", { type: "basic", users }],
  ["tokens", { type: "bearer", users }],
  ["tokens, which it gives to everybody", { type: "bearer", users, anonymous: "pull" }],
];

describe.each(ways)("a login to a registry with %s", (_, auth) => {
  const check = async (password: string): Promise<void> => {
    await using registry = await startRegistry({ auth });
    const credentials = { [registry.host]: { username: "user", password } };
    await using client = registryClient({ credentials, retry: { baseMs: 1 } });
    await client.checkLogin(registry.host);
  };

  test("is taken", async () => {
    await expect(check("password")).resolves.toBeUndefined();
  });

  test("is refused for a wrong password", async () => {
    await expect(check("canary")).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.not.stringContaining("canary"),
    });
  });
});

test("a registry that lets everybody in has no login to refuse", async () => {
  await using registry = await startRegistry();
  await using client = registryClient({ credentials: "anonymous" });
  await expect(client.checkLogin(registry.host)).resolves.toBeUndefined();
});

test("what is no host is refused before anything is asked", async () => {
  await using client = registryClient({ credentials: "anonymous" });
  await expect(client.checkLogin("no host")).rejects.toMatchObject({ code: "REFERENCE_INVALID" });
});
