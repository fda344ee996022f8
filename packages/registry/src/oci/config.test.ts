import { describe, expect, test } from "vitest";
import { parseImageConfig } from "./config.ts";

const whole = {
  created: "2026-07-01T00:00:00Z",
  author: "a",
  architecture: "amd64",
  os: "linux",
  "os.version": "1",
  variant: "v1",
  config: {
    User: "u",
    ExposedPorts: { "80/tcp": {} },
    Env: ["A=b"],
    Entrypoint: ["/a"],
    Cmd: ["b"],
    Healthcheck: { Test: ["NONE"], Interval: 1, Timeout: 1, StartPeriod: 1, StartInterval: 1, Retries: 1 },
    Volumes: { "/v": {} },
    WorkingDir: "/w",
    Labels: { a: "b" },
    StopSignal: "SIGTERM",
    Shell: ["/bin/sh"],
    OnBuild: ["LABEL a=b"],
  },
  rootfs: { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] },
  history: [
    { comment: "c", created_by: "b", created: "2026-07-01T00:00:00Z", author: "a", empty_layer: true },
  ],
};

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** The document with `{"toString":1}` in the place of each of its values in turn, by the path to it. */
function eachSpoiled(value: unknown, path: readonly string[] = []): readonly (readonly [string, unknown])[] {
  const here = path.length === 0 ? [] : [[path.join("."), spoiled(whole, path)] as const];
  if (typeof value !== "object" || value === null) return here;
  return [...here, ...Object.entries(value).flatMap(([key, inner]) => eachSpoiled(inner, [...path, key]))];
}

function spoiled(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return { toString: 1 };
  if (Array.isArray(value)) return value.map((each, at) => (String(at) === key ? spoiled(each, rest) : each));
  return Object.fromEntries(
    Object.entries(value as object).map(([name, each]) => [name, name === key ? spoiled(each, rest) : each]),
  );
}

/** Objects by themselves, in which other keys may be. */
const loose = [
  "config",
  "config.Healthcheck",
  "config.ExposedPorts.80/tcp",
  "config.Volumes./v",
  "history.0",
];

describe("a configuration", () => {
  test("is read whole, and an entry of the history keeps its order", () => {
    const config = parseImageConfig(bytesOf(whole));
    expect(config).toEqual(whole);
    expect(Object.keys(config.history?.[0] ?? {}).filter((key) => key !== "empty_layer")).toEqual([
      "comment",
      "created_by",
      "created",
      "author",
    ]);
  });

  test.each(eachSpoiled(whole).filter(([path]) => !loose.includes(path)))(
    "with something else as its %s is refused, if the form says what it is",
    (_, document) => {
      expect(() => parseImageConfig(bytesOf(document))).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID" }),
      );
    },
  );

  test.each(["[", '{"a":'])(
    "of 100,000 levels of %s is refused, where nothing is known of the field",
    (open) => {
      const close = open === "[" ? "]" : "}";
      const deep = `${open.repeat(100_000)}1${close.repeat(100_000)}`;
      const json = JSON.stringify({ ...whole, unknown: "@" }).replace('"@"', deep);
      expect(() => parseImageConfig(Buffer.from(json))).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining("levels") }),
      );
    },
  );

  test("may have brackets and quotes in its texts", () => {
    const comment = `${"[{".repeat(2000)}\\"${"[{".repeat(2000)}\\`;
    expect(parseImageConfig(bytesOf({ ...whole, comment }))).toMatchObject({ comment });
  });
});
