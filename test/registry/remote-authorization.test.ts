import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import {
  contentOf,
  digestOf,
  MediaType,
  readAll,
  registryClient,
  replayable,
  type CredentialSource,
  type Descriptor,
  type RegistryClientOptions,
  type RegistryEvent,
} from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { empty, json, namedServers, scriptedServer, type SeenRequest } from "../support/scripted-server.ts";

const blob = randomBytes(1000);
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};
const retry = { baseMs: 1, retries: 2 };
const bearer = (realm: string, service: string, scope?: string): Record<string, string> => ({
  "WWW-Authenticate": `Bearer realm="${realm}",service="${service}"${scope === undefined ? "" : `,scope="${scope}"`}`,
});

/** As public ECR: a challenge whose scope is `aws`, a token server, blobs at another origin that refuses tokens. */
async function publicEcr(
  allow: (request: SeenRequest) => boolean = ({ authorization }) => authorization === "Bearer T",
) {
  const storage = await scriptedServer((request, response) => {
    if (request.authorization === undefined) response.end(blob);
    else empty(response, 400);
  });
  const registry = await scriptedServer((request, response) => {
    if (request.path === "/token/")
      json(response, 200, { token: request.authorization === undefined ? "T" : "U" });
    else if (!allow(request)) {
      const stale = request.authorization === "Bearer U";
      if (stale)
        json(response, 403, {
          errors: [{ code: "DENIED", message: "Your authorization token has expired." }],
        });
      else empty(response, 401, bearer("https://public.ecr.aws/token/", "public.ecr.aws", "aws"));
    } else empty(response, 307, { Location: "https://cdn.example/x?Signature=CANARY" });
  });
  return {
    registry,
    storage,
    transport: namedServers({ "https://public.ecr.aws": registry, "https://cdn.example": storage }),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
    },
  };
}

const node = "public.ecr.aws/docker/library/node";

describe("public ECR", () => {
  test("gives an anonymous token for the repository, and its storage never sees it", async () => {
    await using ecr = await publicEcr();
    const events: RegistryEvent[] = [];
    const client = registryClient({
      credentials: "anonymous",
      transport: ecr.transport,
      retry,
      onEvent: (event) => events.push(event),
    });
    expect(Buffer.from(await readAll(client.repository(node).fetch(layer))).equals(blob)).toBe(true);
    expect(ecr.registry.requests.map(({ target, authorization }) => [target, authorization])).toEqual([
      [`/v2/docker/library/node/blobs/${layer.digest}`, undefined],
      ["/token/?service=public.ecr.aws&scope=repository%3Adocker%2Flibrary%2Fnode%3Apull", undefined],
      [`/v2/docker/library/node/blobs/${layer.digest}`, "Bearer T"],
    ]);
    expect(ecr.storage.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(JSON.stringify(events)).not.toContain("CANARY");
    expect(events.map(({ kind }) => kind)).toEqual(["request", "token", "request", "request"]);
  });

  test("refuses a login that has ended, and is asked without it", async () => {
    await using ecr = await publicEcr();
    const warnings: string[] = [];
    const client = registryClient({
      credentials: { "public.ecr.aws": { username: "AWS", password: "old" } },
      transport: ecr.transport,
      retry,
      onEvent: (event) => event.kind === "warning" && warnings.push(event.message),
    });
    await readAll(client.repository(node).fetch(layer));
    expect(warnings).toEqual([expect.stringContaining("docker logout public.ecr.aws")]);
  });
});

describe("a token", () => {
  /** A registry and its token server behind real names, whose tokens tell for which scopes they are. */
  async function withTokens(
    use: (it: {
      readonly client: (options?: RegistryClientOptions) => ReturnType<typeof registryClient>;
      readonly asked: readonly SeenRequest[];
      readonly seen: readonly SeenRequest[];
    }) => Promise<void>,
    answer: {
      readonly lifetime?: number;
      /** Whether a request with this token is let in. */
      readonly accepts?: (token: string, request: SeenRequest) => boolean;
      readonly challenge?: (request: SeenRequest) => Record<string, string>;
      readonly token?: (request: SeenRequest, count: number) => [status: number, body: unknown];
    } = {},
  ): Promise<void> {
    let count = 0;
    await using tokens = await scriptedServer((request, response) => {
      count += 1;
      const [status, body] = answer.token?.(request, count) ?? [
        200,
        { token: `T${count}`, expires_in: answer.lifetime ?? 300 },
      ];
      json(response, status, body);
    });
    await using registry = await scriptedServer(async (request, response) => {
      const token = request.authorization?.replace("Bearer ", "");
      if (token === undefined || answer.accepts?.(token, request) === false) {
        const headers = answer.challenge?.(request) ?? bearer("https://auth.example/token", "reg");
        json(response, 401, { errors: [{ code: "UNAUTHORIZED", message: "no" }] }, headers);
      } else if (request.method === "POST") empty(response, 202, { Location: "/up" });
      else if (request.method === "PUT") {
        await request.body();
        empty(response, 201);
      } else if (request.method === "HEAD") empty(response, 404);
      else response.end(blob);
    });
    const transport = namedServers({ "https://reg.example": registry, "https://auth.example": tokens });
    await use({
      client: (options = {}) => registryClient({ credentials: "anonymous", transport, retry, ...options }),
      asked: tokens.requests,
      seen: registry.requests,
    });
  }

  test("is asked for once by ten first requests", async () => {
    await withTokens(async ({ client, asked }) => {
      const repository = client().repository("reg.example/a");
      await Promise.all(Array.from({ length: 10 }, () => readAll(repository.fetch(layer))));
      expect(asked).toHaveLength(1);
    });
  });

  test("is one for each set of scopes, and a pull never asks for more than that", async () => {
    await withTokens(async ({ client, asked }) => {
      const registry = client();
      await readAll(registry.repository("reg.example/a").fetch(layer));
      await readAll(registry.repository("reg.example/a").fetch(layer));
      await readAll(registry.repository("reg.example/b").fetch(layer));
      await registry.repository("reg.example/a").push(layer, contentOf(blob));
      expect(asked.map(({ query }) => query.getAll("scope"))).toEqual([
        ["repository:a:pull"],
        ["repository:b:pull"],
        ["repository:a:pull,push"],
      ]);
    });
  });

  test("for a mount is for both repositories", async () => {
    await withTokens(async ({ client, asked }) => {
      await client().repository("reg.example/a").mount(layer, "c/d");
      expect(asked[0]?.query.getAll("scope")).toEqual(["repository:a:pull,push", "repository:c/d:pull"]);
    });
  });

  test("that is about to end is replaced first", async () => {
    await withTokens(
      async ({ client, asked }) => {
        let now = 0;
        const repository = client({ now: () => now }).repository("reg.example/a");
        await readAll(repository.fetch(layer));
        now = 40_000;
        await readAll(repository.fetch(layer));
        expect(asked).toHaveLength(1);
        now = 51_000;
        await readAll(repository.fetch(layer));
        expect(asked).toHaveLength(2);
      },
      { lifetime: 60 },
    );
  });

  test("that the registry no longer takes is replaced once", async () => {
    await withTokens(
      async ({ client, asked }) => {
        const repository = client().repository("reg.example/a");
        await readAll(repository.fetch(layer));
        expect(asked).toHaveLength(2);
      },
      { accepts: (token) => token !== "T1" },
    );
  });

  test("that is refused when it is new ends the matter, with the registry's words", async () => {
    await withTokens(
      async ({ client, asked, seen }) => {
        const fetched = readAll(client().repository("reg.example/a").fetch(layer));
        await expect(fetched).rejects.toMatchObject({ code: "UNAUTHORIZED", status: 401 });
        expect(asked.length).toBeLessThanOrEqual(2);
        expect(seen.length).toBeLessThanOrEqual(3);
      },
      { accepts: () => false },
    );
  });

  test("that reaches too little is replaced by one for what the registry names too", async () => {
    await withTokens(
      async ({ client, asked }) => {
        await readAll(client().repository("reg.example/a").fetch(layer));
        expect(asked.map(({ query }) => query.getAll("scope"))).toEqual([
          ["repository:a:pull"],
          ["repository:base:pull", "repository:a:pull"],
        ]);
      },
      {
        accepts: (token) => token === "T2",
        challenge: ({ authorization }) =>
          authorization === undefined
            ? bearer("https://auth.example/token", "reg")
            : {
                "WWW-Authenticate":
                  'Bearer realm="https://auth.example/token",service="reg",scope="repository:base:pull",error="insufficient_scope"',
              },
      },
    );
  });

  test("that could not be had is asked for again the next time", async () => {
    await withTokens(
      async ({ client, asked }) => {
        const repository = client({ retry: { retries: 0 } }).repository("reg.example/a");
        await expect(readAll(repository.fetch(layer))).rejects.toMatchObject({ status: 503 });
        await readAll(repository.fetch(layer));
        expect(asked).toHaveLength(2);
      },
      { token: (_, count) => (count === 1 ? [503, {}] : [200, { token: "T" }]) },
    );
  });

  test("that ended in the middle of an upload is replaced, and the content read again", async () => {
    let puts = 0;
    await withTokens(
      async ({ client, seen }) => {
        await client()
          .repository("reg.example/a")
          .push(
            layer,
            replayable(() => contentOf(blob)),
          );
        expect(seen.filter(({ method }) => method === "PUT")).toHaveLength(2);
      },
      { accepts: (_, { method }) => method !== "PUT" || ++puts > 1 },
    );
  });

  test("never reaches for more because an upload is given up: what a refused DELETE names is not asked for", async () => {
    let puts = 0;
    await withTokens(
      async ({ client, asked, seen }) => {
        const registry = client();
        await registry.repository("reg.example/a").mount(layer, "c/d");
        await registry.repository("reg.example/a").push(
          layer,
          replayable(() => contentOf(blob)),
        );
        const scopes = asked.flatMap(({ query }) => query.getAll("scope"));
        expect(scopes.filter((scope) => scope.includes("delete"))).toEqual([]);
        expect(seen.filter(({ method }) => method === "DELETE")).toHaveLength(1);
      },
      {
        accepts: (_, { method }) => method !== "DELETE" && (method !== "PUT" || ++puts > 1),
        challenge: ({ method }) => ({
          "WWW-Authenticate": `Bearer realm="https://auth.example/token",service="reg",scope="repository:a:${method === "DELETE" ? "delete" : "pull,push"}",error="insufficient_scope"`,
        }),
        token: ({ query }, count) =>
          query.getAll("scope").some((scope) => scope.includes("delete"))
            ? [403, { errors: [{ code: "DENIED", message: "no delete" }] }]
            : [200, { token: `T${count}` }],
      },
    );
  });

  test("is got by an identity token, whose successor takes its place", async () => {
    await withTokens(
      async ({ client, asked }) => {
        const registry = client({ credentials: { "reg.example": { identityToken: "R0" } } });
        await readAll(registry.repository("reg.example/a").fetch(layer));
        await readAll(registry.repository("reg.example/b").fetch(layer));
        expect(asked.map(({ method }) => method)).toEqual(["POST", "POST"]);
      },
      { token: (_, count) => [200, { access_token: `T${count}`, refresh_token: `R${count}` }] },
    );
  });
});

describe("Basic", () => {
  test("is sent from the first challenge on", async () => {
    await using registry = await scriptedServer((request, response) => {
      if (request.authorization === `Basic ${Buffer.from("usér:päss:x").toString("base64")}`)
        response.end(blob);
      else empty(response, 401, { "WWW-Authenticate": 'Basic realm="r"' });
    });
    const client = registryClient({
      credentials: { [registry.host]: { username: "usér", password: "päss:x" } },
    });
    await readAll(client.repository(`${registry.host}/a`).fetch(layer));
    await readAll(client.repository(`${registry.host}/a`).fetch(layer));
    expect(registry.requests).toHaveLength(3);
  });

  test("with a wrong password fails at once and does not tell it", async () => {
    await using registry = await scriptedServer((_, response) =>
      json(
        response,
        401,
        { errors: [{ code: "UNAUTHORIZED", message: "hunter2 is wrong" }] },
        {
          "WWW-Authenticate": 'Basic realm="r"',
        },
      ),
    );
    const client = registryClient({
      credentials: { [registry.host]: { username: "u", password: "hunter2" } },
    });
    const error = await readAll(client.repository(`${registry.host}/a`).fetch(layer)).catch(
      (it: unknown) => it,
    );
    expect(error).toMatchObject({ code: "UNAUTHORIZED" });
    expect(registry.requests).toHaveLength(2);
    for (const form of ["hunter2", Buffer.from("u:hunter2").toString("base64")]) {
      expect(inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(form);
    }
  });
});

describe("credentials for one host", () => {
  const credentials: CredentialSource = async () => ({ username: "u", password: "CANARY" });
  const secret = Buffer.from("u:CANARY").toString("base64");

  test.each([
    ["http", "http://auth.example/token"],
    ["a private address", "https://169.254.169.254/token"],
    ["a local name", "https://localhost/token"],
    ["an address in another spelling", "https://[::ffff:10.0.0.1]/token"],
  ])("are not offered to a token server on %s", async (_, realm) => {
    const asked: string[] = [];
    await using registry = await scriptedServer((__, response) => empty(response, 401, bearer(realm, "reg")));
    const names = namedServers({ "https://reg.example": registry });
    const client = registryClient({
      credentials,
      retry,
      transport: async (request) => {
        asked.push(request.url);
        return await names(request);
      },
    });
    await expect(readAll(client.repository("reg.example/a").fetch(layer))).rejects.toMatchObject({
      code: "REDIRECT_REFUSED",
    });
    expect(asked.every((url) => url.startsWith("https://reg.example/"))).toBe(true);
  });

  test("are not offered to another that asks after a redirect, which gets an anonymous token", async () => {
    await using cdn = await scriptedServer((request, response) => {
      if (request.path === "/token") json(response, 200, { token: "ANON" });
      else if (request.authorization === "Bearer ANON") response.end(blob);
      else empty(response, 401, bearer("https://cdn.example/token", "cdn"));
    });
    await using registry = await scriptedServer((request, response) => {
      if (request.authorization === `Basic ${secret}`)
        empty(response, 307, { Location: "https://cdn.example/x" });
      else empty(response, 401, { "WWW-Authenticate": 'Basic realm="r"' });
    });
    const transport = namedServers({ "https://reg.example": registry, "https://cdn.example": cdn });
    const client = registryClient({ credentials, retry, transport });
    await readAll(client.repository("reg.example/a").fetch(layer));
    expect(cdn.requests.map(({ authorization }) => authorization)).toEqual([
      undefined,
      undefined,
      "Bearer ANON",
    ]);
  });

  test("do not come back when a redirect leads back", async () => {
    await using cdn = await scriptedServer((_, response) =>
      empty(response, 307, { Location: "https://reg.example/back" }),
    );
    await using registry = await scriptedServer((request, response) => {
      if (request.path === "/back") response.end(blob);
      else if (request.authorization === undefined) empty(response, 401, { "WWW-Authenticate": "Basic" });
      else empty(response, 307, { Location: "https://cdn.example/x" });
    });
    const transport = namedServers({ "https://reg.example": registry, "https://cdn.example": cdn });
    await readAll(registryClient({ credentials, transport }).repository("reg.example/a").fetch(layer));
    expect(
      registry.requests.map(({ path, authorization }) => [path === "/back", authorization !== undefined]),
    ).toEqual([
      [false, false],
      [false, true],
      [true, false],
    ]);
  });

  test("do not go with an upload to another origin (CVE-2026-50151)", async () => {
    await using storage = await scriptedServer(async (request, response) => {
      await request.body();
      empty(response, 201);
    });
    await using registry = await scriptedServer((request, response) => {
      if (request.authorization === undefined) empty(response, 401, { "WWW-Authenticate": "Basic" });
      else if (request.method === "HEAD") empty(response, 404);
      else empty(response, 202, { Location: "https://storage.example/u?sig=s" });
    });
    const transport = namedServers({ "https://reg.example": registry, "https://storage.example": storage });
    const client = registryClient({ credentials, transport });
    await client.repository("reg.example/a").push(layer, contentOf(blob));
    expect(storage.requests.map(({ line, authorization }) => [line, authorization])).toEqual([
      ["PUT /u", undefined],
    ]);
  });

  test("are not sent over plain http to another machine, which is told once", async () => {
    const warnings: string[] = [];
    await using registry = await scriptedServer((request, response) => {
      if (request.path.startsWith("/token")) json(response, 200, { token: "ANON" });
      else if (request.authorization === "Bearer ANON") response.end(blob);
      else empty(response, 401, bearer("http://reg.example/token", "reg"));
    });
    const client = registryClient({
      credentials,
      hosts: { "reg.example": { plainHttp: true } },
      transport: namedServers({ "http://reg.example": registry }),
      onEvent: (event) => event.kind === "warning" && warnings.push(event.message),
    });
    await readAll(client.repository("reg.example/a").fetch(layer));
    await readAll(client.repository("reg.example/b").fetch(layer));
    expect(registry.requests.some(({ authorization }) => authorization?.startsWith("Basic"))).toBe(false);
    expect(warnings).toEqual(["The login for reg.example is not sent: it is on plain http."]);
  });

  test("are not sent to a token server on plain http, which is told once", async () => {
    const warnings: string[] = [];
    await using registry = await scriptedServer((request, response) => {
      if (request.path.startsWith("/token")) json(response, 200, { token: "ANON" });
      else if (request.authorization === "Bearer ANON") response.end(blob);
      else empty(response, 401, bearer("http://token.example/token", "reg"));
    });
    const client = registryClient({
      credentials,
      hosts: { "localhost:5000": { plainHttp: true } },
      transport: namedServers({ "http://localhost:5000": registry, "http://token.example": registry }),
      onEvent: (event) => event.kind === "warning" && warnings.push(event.message),
    });
    await readAll(client.repository("localhost:5000/a").fetch(layer));
    await readAll(client.repository("localhost:5000/b").fetch(layer));
    expect(registry.requests.some(({ authorization }) => authorization?.startsWith("Basic"))).toBe(false);
    expect(warnings).toEqual([
      "The login for localhost:5000 is not sent: its token server is on plain http.",
    ]);
  });

  test("hosts are named in any case", async () => {
    await using registry = await scriptedServer((_, response) => void response.end(blob));
    const client = registryClient({
      credentials: "anonymous",
      hosts: { "REG.example": { plainHttp: true } },
      transport: namedServers({ "http://reg.example": registry }),
    });
    await readAll(client.repository("reg.example/a").fetch(layer));
    expect(registry.requests).toHaveLength(1);
  });

  test("a warning of the registry is told once", async () => {
    const warnings: string[] = [];
    await using registry = await scriptedServer((_, response) => {
      response.setHeader("Warning", ['299 - "soon gone"', '199 - "not this"']);
      response.end(blob);
    });
    const client = registryClient({
      credentials: "anonymous",
      transport: namedServers({ "https://reg.example": registry }),
      onEvent: (event) => event.kind === "warning" && warnings.push(event.message),
    });
    await readAll(client.repository("reg.example/a").fetch(layer));
    await readAll(client.repository("reg.example/b").fetch(layer));
    expect(warnings).toEqual(["soon gone"]);
  });

  test.each([
    ["to http", "http://reg.example/x"],
    ["to a private address", "https://10.0.0.1/x"],
    ["in a circle", `https://reg.example/v2/a/blobs/${layer.digest}`],
    ["nowhere", ""],
  ])("a redirect %s is not followed", async (_, location) => {
    await using registry = await scriptedServer((__, response) =>
      empty(response, 307, { Location: location }),
    );
    const client = registryClient({
      credentials,
      transport: namedServers({ "https://reg.example": registry }),
    });
    await expect(readAll(client.repository("reg.example/a").fetch(layer))).rejects.toMatchObject({
      code: "REDIRECT_REFUSED",
    });
    expect(registry.requests).toHaveLength(1);
  });
});
