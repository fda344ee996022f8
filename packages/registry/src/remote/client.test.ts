import { expect, test } from "vitest";
import { digestOf } from "../oci/digest.ts";
import { contentOf } from "../store/verify.ts";
import { registryClient, type RegistryClientOptions } from "./client.ts";
import type { HttpRequest, Transport } from "./http.ts";

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

test("a member that is undefined is as good as absent, on every level", async () => {
  const asked: HttpRequest[] = [];
  const transport: Transport = async (request) => {
    asked.push(request);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { status: 200, headers: { get: () => null }, body: contentOf(new Uint8Array()), cancel() {} };
  };
  const nothing = undefined;
  // What a program without exactOptionalPropertyTypes would write.
  const options = {
    transport,
    credentials: "anonymous",
    ca: "A",
    limits: { headersMs: nothing, idleMs: nothing, totalMs: nothing },
    retry: { retries: nothing, baseMs: nothing, capMs: nothing, random: nothing },
    upload: { chunkSize: nothing },
    concurrency: nothing,
    requestsPerSecond: nothing,
    foreignLayers: nothing,
    mirrors: { "other.example": nothing },
    hostDirectories: nothing,
    registriesFiles: nothing,
    onEvent: nothing,
    now: nothing,
    hosts: {
      "other.example": nothing,
      "reg.example": {
        ca: nothing,
        cert: nothing,
        key: nothing,
        insecure: nothing,
        plainHttp: nothing,
        connectTimeoutMs: nothing,
        headers: { "x-absent": nothing, "x-team": "blue" },
      },
    },
  } as unknown as RegistryClientOptions;
  const target = { mediaType: "", digest: digestOf("a"), size: 1 };
  expect(await registryClient(options).repository("reg.example/a").exists(target)).toBe(true);
  expect(asked[0]?.tls).toStrictEqual({ ca: ["A"] });
  expect(asked[0]?.headers).toStrictEqual({ "x-team": "blue" });
});

test("a misspelt option is one also where it is undefined", () => {
  const untyped = { credentails: undefined } as RegistryClientOptions;
  expect(() => registryClient(untyped)).toThrow("credentails is not an option of");
});
