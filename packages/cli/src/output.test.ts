import { describe, expect, test } from "vitest";
import { UsageError } from "./args.ts";
import { parseOutput } from "./output.ts";

describe("--output", () => {
  test.each([
    ["type=oci,dest=image.tar", { type: "oci-archive", path: "image.tar" }],
    ["type=oci,dest=image,tar=false", { type: "oci-layout", path: "image" }],
    ["type=oci-layout,dest=image,tag=1.0", { type: "oci-layout", path: "image", tag: "1.0" }],
    ["type=docker,dest=image.tar", { type: "docker-archive", path: "image.tar" }],
    ["type=docker,dest=-", { type: "docker-archive", path: "/dev/fd/1" }],
    ["type=registry", "push"],
    ["type=image,push=true", "push"],
  ])("%s is %j", (text, expected) => {
    expect(parseOutput(text)).toEqual(expected);
  });

  test.each([
    ["type=local,dest=x", "type=local is not one of"],
    ["type=oci", "needs dest=PATH"],
    ["type=oci,dest=x,squash=true", "knows no squash="],
    ["image.tar", "key=value pairs"],
    ["type=constructor,dest=x", "is not one of"],
  ])("%s is refused", (text, message) => {
    expect(() => parseOutput(text)).toThrow(UsageError);
    expect(() => parseOutput(text)).toThrow(message);
  });
});
