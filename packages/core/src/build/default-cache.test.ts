import { describe, expect, test } from "vitest";
import { defaultCache } from "./default-cache.ts";

describe.skipIf(process.platform === "win32")("the cache's place is", () => {
  test.each([
    ["what XDG_CACHE_HOME says", { XDG_CACHE_HOME: "/caches" }, "/home/a", "/caches/undocked"],
    [
      "the home, if XDG_CACHE_HOME is relative",
      { XDG_CACHE_HOME: "c" },
      "/home/a",
      "/home/a/.cache/undocked",
    ],
    ["the home, if XDG_CACHE_HOME is empty", { XDG_CACHE_HOME: "" }, "/home/a", "/home/a/.cache/undocked"],
    ["the home without XDG_CACHE_HOME", {}, "/home/a", "/home/a/.cache/undocked"],
    ["nowhere without any home", {}, undefined, undefined],
  ])("%s", (_, environment, home, place) => {
    expect(defaultCache(environment, home)).toBe(place);
  });
});
