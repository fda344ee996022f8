import { expect, test } from "vitest";
import { parseAnnotations } from "./annotation.ts";
import { UsageError } from "./args.ts";

test.each([
  [["a=b"], { manifest: { a: "b" }, index: {} }],
  [["manifest:a=b=c"], { manifest: { a: "b=c" }, index: {} }],
  [["index:a=b", "c=d"], { manifest: { c: "d" }, index: { a: "b" } }],
  [["manifest,index:a=b"], { manifest: { a: "b" }, index: { a: "b" } }],
  [["org.example:title=x"], { manifest: { "org.example:title": "x" }, index: {} }],
])("%s", (texts, annotations) => expect(parseAnnotations(texts)).toEqual(annotations));

test("none are none", () => expect(parseAnnotations([])).toBeUndefined());

test.each(["index-descriptor:a=b", "manifest[linux/amd64]:a=b", "index,manifest-descriptor:a=b", "index:a"])(
  "%s is a wrong command line",
  (text) => expect(() => parseAnnotations([text])).toThrow(UsageError),
);
