import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import {
  contentOf,
  digestOf,
  formatReference,
  MediaType,
  parseReference,
  readAll,
  registryClient,
  replayable,
  UndockedError,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { expect, test } from "vitest";
import { parseChallenges } from "../../packages/registry/src/auth/challenge.ts";
import { redactUrl } from "../../packages/registry/src/remote/redact.ts";
import { backoffMs } from "../../packages/registry/src/remote/retry-policy.ts";
import { empty, scriptedServer } from "../support/scripted-server.ts";

/* What holds for all inputs, tried with many that are the same in every run. */

/** Whole numbers below a limit. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function oneOf<T>(random: (below: number) => number, all: readonly T[]): T {
  const chosen = all[random(all.length)];
  if (chosen === undefined) throw new Error("There is nothing to choose from.");
  return chosen;
}

test("references: what is parsed is printed to what parses to the same", () => {
  const random = randomFrom(1);
  const parts = [
    "a",
    "Z",
    "docker.io",
    "localhost",
    "[::1]",
    ":",
    ":5000",
    "/",
    "_",
    "__",
    "-",
    ".",
    "@",
    "1",
  ];
  const digests = [digestOf("a"), digestOf("a", "sha512"), "sha256:abc"];
  let valid = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const length = 1 + random(7);
    const text = Array.from({ length }, () => oneOf(random, random(8) === 0 ? digests : parts)).join("");
    try {
      const reference = parseReference(text);
      valid += 1;
      expect(parseReference(formatReference(reference))).toEqual(reference);
    } catch (error) {
      expect(error).toMatchObject({ code: "REFERENCE_INVALID" });
    }
  }
  expect(valid).toBeGreaterThan(1000);
});

test("challenges: several in one header are those of as many headers", () => {
  const random = randomFrom(2);
  const values = ["https://a.example/t,x", 'a\\"b', "repository:a:pull,push", "", "x=y", "Basic z"];
  for (let round = 0; round < 2000; round += 1) {
    const lines = Array.from({ length: 1 + random(4) }, () => {
      const names = ["realm", "service", "scope", "error"].slice(0, 1 + random(4));
      const fields = names
        .map((name) => `${name}="${oneOf(random, values)}"`)
        .join(oneOf(random, [",", ", "]));
      return `${oneOf(random, ["Basic", "Bearer", "bearer", "Negotiate"])} ${fields}`;
    });
    expect(parseChallenges(lines.join(", "))).toEqual(lines.flatMap((line) => parseChallenges(line)));
  }
});

test("URLs in messages: a secret survives in none, wherever it stands", () => {
  const random = randomFrom(3);
  const names = ["sig", "X-Amz-Signature", "token", "_state", "digest ", "Scope", "a%5Bb", ""];
  for (let round = 0; round < 2000; round += 1) {
    const query = Array.from({ length: random(4) }, () => `${oneOf(random, names)}=CANARY${random(9)}`);
    const user = oneOf(random, ["", "CANARY@", "u:CANARY@", "CANARY:@"]);
    const fragment = oneOf(random, ["", "#CANARY"]);
    const url = `https://${user}a.example/v2/b?n=1&${query.join("&")}${fragment}`;
    expect(redactUrl(url)).not.toContain("CANARY");
  }
});

test("pauses: between nothing and the cap, whatever the attempt and the dice", () => {
  const random = randomFrom(4);
  for (let round = 0; round < 2000; round += 1) {
    const dice = random(1000) / 1000;
    const pause = backoffMs(random(2000), { baseMs: 1 + random(1000), capMs: 30_000, random: () => dice });
    expect(pause).toBeGreaterThanOrEqual(0);
    expect(pause).toBeLessThanOrEqual(30_000);
  }
});

test("a download that is cut at every byte of 2 KiB in turn arrives whole", async () => {
  const blob = randomBytes(2048);
  const target = { mediaType: MediaType.ociLayer, digest: digestOf(blob), size: blob.byteLength };
  let cutAt = 0;
  let asked = 0;
  await using server = await scriptedServer((request, response) => {
    asked += 1;
    const begin = Number(/\d+/.exec(request.headers.range ?? "0"));
    const range = { "Content-Range": `bytes ${begin}-${blob.byteLength - 1}/${blob.byteLength}` };
    response.writeHead(begin === 0 ? 200 : 206, { ...range, "Content-Length": blob.byteLength - begin });
    response.flushHeaders();
    if (begin > 0 || asked > 1) response.end(blob.subarray(begin));
    else response.write(blob.subarray(0, cutAt), () => response.socket?.end());
  });
  await using client = registryClient({ credentials: "anonymous", retry: { baseMs: 0 } });
  const repository = client.repository(`${server.host}/a`);
  for (cutAt = 1; cutAt < blob.byteLength; cutAt += 1) {
    asked = 0;
    const bytes = await readAll(repository.fetch(target));
    if (asked !== 2 || !blob.equals(bytes)) throw new Error(`Cut at ${cutAt}: ${asked} requests.`);
  }
}, 180_000);

test("an upload in pieces ends, with all bytes or an error, whatever ranges the server tells", async () => {
  const random = randomFrom(5);
  const blob = randomBytes(4000);
  const target = { mediaType: MediaType.ociLayer, digest: digestOf(blob), size: blob.byteLength };
  let received = Buffer.alloc(0);
  let wrong = 0;
  let whole = 0;
  await using server = await scriptedServer(async (request, response) => {
    const come = await request.body();
    if (request.method === "HEAD") return empty(response, 404);
    if (request.method === "DELETE") return empty(response, 204);
    if (request.method === "PUT") {
      const right = Buffer.concat([received, come]).equals(blob);
      if (right) whole += 1;
      return empty(response, right ? 201 : 400);
    }
    if (request.method === "POST") received = Buffer.alloc(0);
    const begin = Number(/^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1] ?? 0);
    const status =
      request.method === "POST" || request.method === "GET"
        ? 202
        : oneOf(random, [202, 202, 202, 202, 202, 202, 202, 416]);
    // Part of it may have been lost, and what is told may be anything.
    if (status === 202 && begin === received.byteLength)
      received = Buffer.concat([
        received,
        come.subarray(0, random(4) === 0 ? random(come.byteLength + 1) : undefined),
      ]);
    const told = random(30) === 0 ? random(6000) : received.byteLength - 1;
    return empty(response, request.method === "GET" ? 204 : status, {
      Location: "/v2/a/blobs/uploads/1",
      ...(random(8) === 0 ? {} : { Range: `0-${Math.max(0, told)}` }),
    });
  });
  await using client = registryClient({
    credentials: "anonymous",
    retry: { retries: 2, baseMs: 0 },
    upload: { chunkSize: 700 },
  });
  const repository = client.repository(`${server.host}/a`);
  let ended = 0;
  for (let round = 0; round < 200; round += 1) {
    try {
      await repository.push(
        target,
        replayable(() => contentOf(blob)),
      );
      ended += 1;
    } catch (error) {
      if (!(error instanceof UndockedError)) throw error;
      wrong += 1;
    }
  }
  expect(ended).toBe(whole);
  expect([ended > 20, wrong > 5]).toEqual([true, true]);
});

test("tokens: questions that cross each other in any order get answers, and each scope one token while it lives", async () => {
  const random = randomFrom(6);
  await using registry = await startRegistry({
    auth: { type: "bearer", users: { user: "CANARY" } },
    faults: [{ kind: "delay", ms: 1, when: () => random(2) === 0 }],
  });
  await using client = registryClient({
    credentials: { [registry.host]: { username: "user", password: "CANARY" } },
  });
  const blob = randomBytes(100);
  const target = { mediaType: MediaType.ociLayer, digest: digestOf(blob), size: blob.byteLength };
  const content = replayable(() => contentOf(blob));
  const names = ["a", "b", "c", "d"].map((name) => `${registry.host}/${name}`);
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const repository = client.repository(oneOf(random, names));
        if (random(2) === 0) await repository.push(target, content);
        else await repository.exists(target);
      }),
    );
  }
  const tokens = registry.requests.filter(({ path }) => path.includes("scope="));
  expect(tokens.length).toBeGreaterThan(0);
  expect(tokens.length).toBeLessThanOrEqual(2 * names.length);
  expect(inspect(registry.requests.map(({ path }) => path))).not.toContain("CANARY");
});
