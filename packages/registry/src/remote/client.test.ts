import { expect, test } from "vitest";
import { registryClient, type RegistryClientOptions } from "./client.ts";

test.each([
  [{ credentails: "anonymous" }, "credentails"],
  [{ limits: { idle: 1 } }, "idle"],
  [{ retry: { retry: 1 } }, "retry"],
  [{ upload: { chunk: 1 } }, "chunk"],
  [{ hosts: { "a:1": { plainHTTP: true } } }, "plainHTTP"],
])("an option that is none is named: %j", (options, name) => {
  // What a program without types would write.
  const untyped = options as RegistryClientOptions;
  expect(() => registryClient(untyped)).toThrow(`${name} is not an option of`);
});

test.each([0, -1, Number.NaN])("a pace of %d is refused", (requestsPerSecond) => {
  expect(() => registryClient({ requestsPerSecond })).toThrow("requestsPerSecond is more than 0.");
});
