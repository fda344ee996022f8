import type { CallOptions } from "../store/store.ts";
import type { RegistryLine } from "./context.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";

/** Asks for the API's root (distribution-spec, "Determining Support"), which every login may see and a wrong one may not. */
export async function checkLogin(line: RegistryLine, { signal }: CallOptions): Promise<void> {
  const answer = await exchange(line, {
    method: "GET",
    url: `${line.origin}/v2/`,
    permission: { repository: "", scopes: [] },
    expect: [200],
    subject: "repository",
    signal,
  });
  await drain(answer);
}
