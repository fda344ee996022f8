import { describe, expect, test } from "vitest";
import { checkOptions, type BuildOptions } from "./options.ts";

/** As JavaScript gives them, and TypeScript without `exactOptionalPropertyTypes`. */
const given = (options: unknown): BuildOptions => options as BuildOptions;

const names =
  "context project dockerfile image files entrypoint buildArgs labels target namedContexts platforms annotations executables " +
  "preflight tags push outputs timestamps sourceDateEpoch cache cacheMaxSize offline verify compression registry signal onEvent";

describe("an option that is undefined is one that is absent", () => {
  test.each(names.split(" "))("%s", (name) => {
    expect(Object.keys(checkOptions(given({ [name]: undefined })))).toEqual([]);
  });

  test.each([
    ["in a Dockerfile's text", { dockerfile: { text: "FROM scratch", file: undefined } }],
    ["in an output", { outputs: [{ type: "oci-layout", path: "out", tag: undefined }] }],
    ["in annotations", { annotations: { manifest: { a: "b" }, index: undefined } }],
    ["beside another kind's own", { dockerfile: { path: "Dockerfile", text: undefined } }],
  ])("%s", (_, options) => {
    expect(checkOptions(given(options))).toStrictEqual(JSON.parse(JSON.stringify(options)));
  });
});

test.each([
  [
    "at the top, though it is undefined",
    { dockerFile: undefined, push: undefined },
    "dockerFile is not an option of buildImage().",
  ],
  [
    "in annotations",
    { annotations: { manifests: {}, index: undefined } },
    "annotations.manifests is not an option of buildImage().",
  ],
])("an unknown option is an error %s", (_, options, message) => {
  expect(() => checkOptions(given(options))).toThrow(message);
});

test("an undefined value of a label is a fault of it: nobody knows what it was to be", () => {
  expect(() => checkOptions(given({ labels: { version: undefined } }))).toThrow("labels.version:");
});

test("what is the caller's own stays itself", () => {
  const own = {
    context: { lstat: () => undefined, list: () => [], open: () => undefined, taken: undefined },
    registry: { ca: undefined },
    signal: new AbortController().signal,
    onEvent: () => undefined,
  };
  const checked = checkOptions(given(own));
  for (const [name, value] of Object.entries(own))
    expect(checked[name as keyof BuildOptions], name).toBe(value);
});
