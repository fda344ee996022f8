import { expect, test } from "vitest";
import { nanosecondsOf, secondsOf, timeText } from "./file-time.ts";

test.each([
  ["now", 1_763_737_200_123_456_789n, 1_763_737_200, 123_456_789],
  ["the last moment of a second", 1_763_737_200_999_999_999n, 1_763_737_200, 999_999_999],
  ["1970", 0n, 0, 0],
  ["a second before it", -1_000_000_000n, -1, 0],
  ["a moment before it", -1n, -1, 999_999_999],
  ["long before it", -1_500_000_000n, -2, 500_000_000],
  ["the end of what the file system holds", 15_032_385_535_999_999_999n, 15_032_385_535, 999_999_999],
])("the time of a file of %s is whole seconds and a rest", (_, time, seconds, rest) => {
  expect([secondsOf(time), nanosecondsOf(time)]).toEqual([seconds, rest]);
  expect(timeText(seconds, rest)).toBe(String(time));
});
