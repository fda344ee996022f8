import {
  contentOf,
  nodeFetchTransport,
  readAll,
  type Credential,
  type RegistryClientOptions,
} from "@undocked/registry";
import { expect } from "vitest";
import { at, refusal, times, type Front, type Reply } from "../../support/front.ts";
import { checklist } from "./checklist.ts";
import { equal, pushed, randomBlob } from "./content.ts";
import { basicHeader, basicLogin } from "./credential-watch.ts";
import { login, service } from "./setups.ts";
import { scopesOf, type Site } from "./site.ts";

const blob = randomBlob("auth");
const absent = randomBlob("absent").descriptor;

function as(site: Site, credential: Credential): RegistryClientOptions {
  return { credentials: { [site.host]: credential } };
}

function tokenRequests(tokens: Front): readonly string[] {
  return tokens.requests.map(({ method, authorization, body }) => {
    const how = method === "GET" ? (authorization === undefined ? "anonymous" : "Basic") : "";
    return `${method} ${how}${new URLSearchParams(body.toString()).get("grant_type") ?? ""}`;
  });
}

checklist("auth", (scenario) => {
  scenario("basic", async (site) => {
    site.guard("basic");
    const repository = site.repository(site.path(), site.client(as(site, login)));
    await repository.push(blob.descriptor, blob.content);
    expect(await readAll(repository.fetch(blob.descriptor))).toEqual(blob.bytes);
    expect(site.front.requests.filter(({ authorization }) => authorization === undefined)).toHaveLength(1);
    expect(site.tokens.requests).toEqual([]);
  });

  scenario("basic without password", async (site) => {
    const header = basicHeader("robot", "");
    site.watch.issue(header, site.front.url);
    site.front.on(({ authorization }, _pass) =>
      authorization === header
        ? refusal(404, "BLOB_UNKNOWN")
        : refusal(401, "UNAUTHORIZED", { "www-authenticate": "Basic" }),
    );
    for (const credential of [{ username: "robot" }, { username: "robot", password: "" }]) {
      const repository = site.repository(site.path(), site.client(as(site, credential)));
      expect(await repository.exists(absent)).toBe(false);
    }
    expect(site.front.requests.map(({ authorization }) => authorization)).toEqual([
      undefined,
      header,
      undefined,
      header,
    ]);
  });

  scenario("bearer", async (site) => {
    site.guard("bearer");
    const repository = site.repository(site.path(), site.client(as(site, login)));
    await pushed(repository, blob);
    expect(await readAll(repository.fetch(blob.descriptor))).toEqual(blob.bytes);
    expect(tokenRequests(site.tokens)).toEqual(["GET Basic", "GET Basic"]);
    expect(site.tokens.requests[0]?.query.get("service")).toBe(service);
  });

  scenario("cached", async (site) => {
    site.guard("bearer");
    const repository = site.repository(site.path(), site.client(as(site, login)));
    for (let count = 0; count < 5; count += 1) expect(await repository.exists(absent)).toBe(false);
    expect(site.tokens.requests).toHaveLength(1);
    expect(site.front.requests.filter(({ status }) => status === 401)).toHaveLength(1);
  });

  scenario("per-host", async (site) => {
    site.guard("bearer");
    const other = await site.elsewhere();
    const otherLogin = { username: "another", password: "OTHER" };
    const header = basicHeader(otherLogin.username, otherLogin.password);
    site.watch.issue(header, other.url);
    other.on(({ authorization }) =>
      authorization === header ? undefined : refusal(401, "UNAUTHORIZED", { "www-authenticate": "Basic" }),
    );
    const client = site.client({ credentials: { [site.host]: login, [other.host]: otherLogin } });
    const path = site.path();
    await Promise.all([
      pushed(client.repository(`${site.host}/${path}`), blob),
      client.repository(`${other.host}/${path}`).exists(absent),
    ]);
    const kinds = (front: Front): ReadonlySet<string | undefined> =>
      new Set(front.requests.map(({ authorization }) => authorization?.split(" ")[0]));
    expect([...kinds(site.front)]).toEqual([undefined, "Bearer"]);
    expect([...kinds(other)]).toEqual([undefined, "Basic"]);
  });

  scenario("access token given", async (site) => {
    site.guard("bearer");
    const path = site.path();
    await pushed(site.repository(path, site.client(as(site, login))), blob);
    const registryToken = site.front.requests.at(-1)?.authorization?.slice("Bearer ".length) ?? "";
    const before = site.tokens.requests.length;
    const repository = site.repository(path, site.client(as(site, { registryToken })));
    expect(await readAll(repository.fetch(blob.descriptor))).toEqual(blob.bytes);
    expect(site.tokens.requests).toHaveLength(before);
  });

  scenario("refresh token", async (site) => {
    site.guard("bearer");
    const identityToken = await identity(site);
    const repository = site.repository(site.path(), site.client(as(site, { identityToken })));
    await pushed(repository, blob);
    expect(new Set(tokenRequests(site.tokens))).toEqual(new Set(["POST refresh_token"]));
    expect(site.tokens.requests[0]?.authorization).toBeUndefined();
  });

  scenario("password grant", async (site) => {
    site.guard("bearer");
    // A server that knows OAuth2 alone, as the first clients of it had.
    site.tokens.on(at("GET", /^\/token/, refusal(405, "UNSUPPORTED")));
    const repository = site.repository(site.path(), site.client(as(site, login)));
    await pushed(repository, blob);
    expect(tokenRequests(site.tokens).slice(0, 2)).toEqual(["GET Basic", "POST password"]);
    const form = new URLSearchParams(site.tokens.requests[1]?.body.toString());
    expect(Object.fromEntries(form)).toMatchObject({ ...login, service, grant_type: "password" });
    expect(site.tokens.requests[1]?.authorization).toBeUndefined();
  });

  scenario("OAuth 404 fallback", async (site) => {
    site.guard("bearer");
    site.tokens.on(at("POST", /^\/token/, refusal(404, "UNSUPPORTED")));
    const credential = { ...login, identityToken: "stale" };
    const repository = site.repository(site.path(), site.client(as(site, credential)));
    await pushed(repository, blob);
    expect(tokenRequests(site.tokens).slice(0, 2)).toEqual(["POST refresh_token", "GET Basic"]);
  });

  scenario("token expiry", async (site) => {
    site.guard("bearer");
    let now = 1_700_000_000_000;
    const repository = site.repository(site.path(), site.client({ ...as(site, login), now: () => now }));
    await repository.exists(absent);
    now += 200_000;
    await repository.exists(absent);
    expect(site.tokens.requests).toHaveLength(1);
    now += 200_000;
    await repository.exists(absent);
    expect(site.tokens.requests).toHaveLength(2);
    // Nothing was refused for it: it was replaced before it ended.
    expect(site.front.requests.filter(({ status }) => status === 401)).toHaveLength(1);
  });

  scenario("scope hint mismatch", async (site) => {
    const demanded = `repository:${site.path()}:pull`;
    site.front.on(({ authorization }) =>
      authorization === undefined ? challenged(site, `scope="${demanded}"`) : undefined,
    );
    site.guard("bearer");
    const path = site.path();
    expect(await site.repository(path, site.client(as(site, login))).exists(absent)).toBe(false);
    // What the server named first, and what we know that we need.
    expect(site.tokens.requests[0]?.query.getAll("scope")).toEqual([demanded, `repository:${path}:pull`]);
  });

  scenario("invalid credential basic", async (site) => {
    site.guard("basic");
    const wrong = { username: "user", password: "WRONG" };
    site.watch.issue(basicHeader(wrong.username, wrong.password), site.front.url);
    const repository = site.repository(site.path(), site.client(as(site, wrong)));
    await expect(repository.resolve("v1")).rejects.toMatchObject({ code: "UNAUTHORIZED", status: 401 });
    expect(site.front.requests).toHaveLength(2);
  });

  scenario("invalid credential bearer", async (site) => {
    site.guard("bearer");
    const wrong = { username: "user", password: "WRONG" };
    site.watch.issue(basicHeader(wrong.username, wrong.password), site.tokens.url);
    const repository = site.repository(site.path(), site.client(as(site, wrong)));
    const error: unknown = await repository.resolve("v1").catch((it: unknown) => it);
    expect(error).toMatchObject({ code: "UNAUTHORIZED", status: 401 });
    expect(`${String(error)}${JSON.stringify(error)}`).not.toContain("WRONG");
    expect(site.tokens.requests).toHaveLength(1);
  });

  scenario("anonymous", async (site) => {
    site.guard("bearer");
    const path = `public/${site.path()}`;
    await pushed(site.repository(path, site.client(as(site, login))), blob);
    site.tokens.clear();
    const before = site.front.requests.length;
    const repository = site.repository(path, site.client({ credentials: "anonymous" }));
    expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
    expect(tokenRequests(site.tokens)).toEqual(["GET anonymous"]);
    const kinds = site.front.requests.slice(before).map(({ authorization }) => authorization?.split(" ")[0]);
    expect(kinds).toEqual([undefined, "Bearer"]);
    // What everybody may read nobody may write.
    await expect(repository.push(absent, contentOf(new Uint8Array()))).rejects.toMatchObject({ status: 401 });
  });

  scenario("scheme change", async (site) => {
    const repository = site.repository(site.path(), site.client(as(site, login)));
    site.watch.issue(basicLogin, site.front.url);
    let asksFor: "basic" | "bearer" = "basic";
    site.front.on((request) => {
      const scheme = request.authorization?.split(" ")[0]?.toLowerCase();
      if (scheme === asksFor) return refusal(404, "BLOB_UNKNOWN");
      return asksFor === "bearer"
        ? challenged(site, `scope="${scopesOf(request).join(" ")}"`)
        : refusal(401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="r"' });
    });
    expect(await repository.exists(absent)).toBe(false);
    asksFor = "bearer";
    expect(await repository.exists(absent)).toBe(false);
    expect(site.front.requests.map(({ authorization }) => authorization?.split(" ")[0])).toEqual([
      undefined,
      "Basic",
      "Basic",
      "Bearer",
    ]);
  });

  scenario("missing realm", async (site) => {
    site.front.on(() => refusal(401, "UNAUTHORIZED", { "www-authenticate": 'Bearer service="x"' }));
    await expectNoLogin(site);
  });

  scenario("empty challenge", async (site) => {
    site.front.on(() => refusal(401, "UNAUTHORIZED", { "www-authenticate": "" }));
    await expectNoLogin(site);
  });

  scenario("several challenges", async (site) => {
    site.guard("bearer");
    const other = 'Negotiate, Basic realm="old, with a comma"';
    site.front.on((request, pass) =>
      request.authorization === undefined
        ? refusal(401, "UNAUTHORIZED", {
            "www-authenticate": [
              other,
              `Bearer realm="${site.tokens.url}/token",service="${service}",scope="${scopesOf(request)[0]}"`,
            ],
          })
        : pass(),
    );
    const repository = site.repository(site.path(), site.client(as(site, login)));
    expect(await repository.exists(absent)).toBe(false);
    expect(site.front.requests.map(({ authorization }) => authorization?.split(" ")[0])).toEqual([
      undefined,
      "Bearer",
    ]);
  });

  scenario("insufficient_scope", async (site) => {
    site.guard("bearer");
    const more = `repository:${site.path()}:pull`;
    const hasMore = (): boolean => site.tokens.requests.at(-1)?.query.getAll("scope").includes(more) === true;
    site.front.on((request, pass) =>
      request.authorization !== undefined && !hasMore()
        ? challenged(site, `scope="${more}",error="insufficient_scope"`)
        : pass(),
    );
    const path = site.path();
    const repository = site.repository(path, site.client(as(site, login)));
    expect(await repository.exists(absent)).toBe(false);
    expect(site.tokens.requests.map(({ query }) => query.getAll("scope"))).toEqual([
      [`repository:${path}:pull`],
      [more, `repository:${path}:pull`],
    ]);
  });

  scenario("429 at the token server", async (site) => {
    site.guard("bearer");
    site.tokens.on(times(2, () => refusal(429, "TOOMANYREQUESTS", { "retry-after": "0" })));
    const repository = site.repository(site.path(), site.client(as(site, login)));
    expect(await repository.exists(absent)).toBe(false);
    expect(site.tokens.requests.map(({ status }) => status)).toEqual([429, 429, 200]);
  });

  scenario("token once for parallel calls", async (site) => {
    site.guard("bearer");
    const repository = site.repository(site.path(), site.client(as(site, login)));
    await Promise.all(Array.from({ length: 10 }, () => repository.exists(absent)));
    expect(site.tokens.requests).toHaveLength(1);
  });

  scenario("relative realm", async (site) => {
    const path = site.path();
    site.watch.issue(basicLogin, site.front.url);
    site.front.on((request) => {
      if (request.path === "/own-tokens") return tokenFrom(site, request.target);
      if (request.authorization !== undefined) return undefined;
      const scope = scopesOf(request).join(" ");
      return refusal(401, "UNAUTHORIZED", {
        "www-authenticate": `Bearer realm="/own-tokens",service="${service}",scope="${scope}"`,
      });
    });
    site.guard("bearer");
    expect(await site.repository(path, site.client(as(site, login))).exists(absent)).toBe(false);
    expect(site.front.asked("GET", /^\/own-tokens\?/)).toHaveLength(1);
  });

  scenario("repo-scoped auth", async (site) => {
    site.guard("bearer");
    const [mine, theirs] = [site.path(), site.path()];
    const other = basicHeader("other", "OTHER");
    site.watch.issue(other, site.tokens.url);
    site.tokens.on((request, pass) =>
      request.authorization === other ? pass({ headers: { authorization: basicLogin } }) : undefined,
    );
    const client = site.client({
      credentials: async ({ repository }) =>
        repository === mine ? login : { username: "other", password: "OTHER" },
    });
    expect(await site.repository(mine, client).exists(absent)).toBe(false);
    expect(await site.repository(theirs, client).exists(absent)).toBe(false);
    expect(
      site.tokens.requests.map(({ authorization, query }) => [authorization, query.get("scope")]),
    ).toEqual([
      [basicLogin, `repository:${mine}:pull`],
      [other, `repository:${theirs}:pull`],
    ]);
    // One login's token does not mount what is the other's.
    expect(await site.repository(mine, client).mount(blob.descriptor, theirs)).toBe(false);
  });
});

function challenged(site: Site, parameters: string) {
  return refusal(401, "UNAUTHORIZED", {
    "www-authenticate": `Bearer realm="${site.tokens.url}/token",service="${service}",${parameters}`,
  });
}

/** What cannot be answered is the end, and no credential leaves for it. */
async function expectNoLogin(site: Site): Promise<void> {
  const repository = site.repository(site.path(), site.client(as(site, login)));
  await expect(repository.resolve("v1")).rejects.toMatchObject({ code: "UNAUTHORIZED", status: 401 });
  expect(site.front.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  expect(site.tokens.requests).toEqual([]);
}

/** What the token service gives out, from where a registry has it itself. */
async function tokenFrom({ tokens, options: { ca } }: Site, target: string): Promise<Reply> {
  const transport = nodeFetchTransport({ environment: {} });
  const { status, body } = await transport({
    method: "GET",
    url: `${tokens.url}/token${target.slice(target.indexOf("?"))}`,
    headers: { Authorization: basicLogin },
    ...(ca === undefined ? {} : { tls: { ca } }),
  });
  const bytes = await readAll(body);
  transport.close?.();
  return { status, headers: { "content-type": "application/json" }, body: bytes };
}

/** Of the one who may do everything, as the token service gives it for keeps. */
async function identity(site: Site): Promise<string> {
  const { body = "" } = await tokenFrom(site, `/token?offline_token=true&service=${service}`);
  site.tokens.clear();
  return (JSON.parse(Buffer.from(body).toString()) as { refresh_token: string }).refresh_token;
}
