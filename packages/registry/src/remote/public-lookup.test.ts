import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { networkFailure } from "./network-failure.ts";
import { nodeFetchTransport } from "./transport.ts";

test("a name that resolves to a private address is not connected to where only public ones will do", async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url ?? "");
    response.end();
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  const transport = nodeFetchTransport();
  const request = {
    method: "GET",
    url: `http://localhost:${(server.address() as AddressInfo).port}/x`,
    headers: {},
  };
  try {
    const error: unknown = await transport({ ...request, publicOnly: true }).catch((it: unknown) => it);
    expect(networkFailure(error, request)).toMatchObject({
      failure: { code: "REDIRECT_REFUSED" },
      repeatable: false,
    });
    expect(seen).toEqual([]);
    (await transport(request)).cancel();
    expect(seen).toEqual(["/x"]);
  } finally {
    transport.close?.();
    server.close();
  }
});
