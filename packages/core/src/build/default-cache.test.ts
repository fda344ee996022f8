import { describe, expect, test } from "vitest";
import { defaultCache } from "./default-cache.ts";

const none = (): string => {
  throw new Error("uv_os_get_passwd returned ENOENT");
};
const homes = [() => "/home/a", () => "/home/account"];

describe.skipIf(process.platform === "win32")("the cache's place is", () => {
  test.each([
    ["what XDG_CACHE_HOME says", { XDG_CACHE_HOME: "/caches" }, homes, "/caches/undocked"],
    ["the home, if XDG_CACHE_HOME is relative", { XDG_CACHE_HOME: "c" }, homes, "/home/a/.cache/undocked"],
    ["the home, if XDG_CACHE_HOME is empty", { XDG_CACHE_HOME: "" }, homes, "/home/a/.cache/undocked"],
    ["the home without XDG_CACHE_HOME", {}, homes, "/home/a/.cache/undocked"],
    ["the account's home, if HOME is empty", {}, [() => "", () => "/home/b"], "/home/b/.cache/undocked"],
    ["the account's home, if HOME is relative", {}, [() => "x", () => "/home/b"], "/home/b/.cache/undocked"],
    ["nowhere for an account that nobody knows", {}, [() => "", none], undefined],
    ["nowhere without any home", {}, [none, none], undefined],
  ])("%s", (_, environment, known, place) => {
    expect(defaultCache(environment, known)).toBe(place);
  });
});
