import { memoryStore, registryClient, type LocalStore, type Transport } from "@undocked/registry";
import { expect, test } from "vitest";
import { earlyUpload } from "./early-upload.ts";

const unreachable: Transport = () => Promise.reject(new Error("There is no network."));

test("content that a store refuses at once is closed", async () => {
  await using client = registryClient({ transport: unreachable, retry: { retries: 0 } });
  const store: LocalStore = {
    ...memoryStore(),
    ingest: () => Promise.reject(new Error("The disk is full.")),
  };
  let isClosed = false;
  const content = async function* (): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) yield new Uint8Array(1024 * 1024);
    } finally {
      isClosed = true;
    }
  };
  await using upload = earlyUpload(store, client.repository("127.0.0.1:1/app"));
  await expect(upload.sink.ingest("application/octet-stream", content())).rejects.toThrow("full");
  expect(isClosed).toBe(true);
});
