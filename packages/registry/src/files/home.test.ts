import { describe, expect, test } from "vitest";
import { userHome } from "./home.ts";

const none = (): string => {
  throw new Error("uv_os_homedir returned ENOENT");
};

describe.skipIf(process.platform === "win32")("the user's home is", () => {
  test.each([
    ["what the environment says", [() => "/home/a", () => "/home/b"], "/home/a"],
    ["the account's, if the environment's is empty", [() => "", () => "/home/b"], "/home/b"],
    ["the account's, if the environment's is relative", [() => "x", () => "/home/b"], "/home/b"],
    ["nowhere for a user id without an account", [none, none], undefined],
  ])("%s", (_, homes, home) => {
    expect(userHome(homes)).toBe(home);
  });
});
