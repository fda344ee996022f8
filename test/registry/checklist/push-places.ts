import {
  copyImage,
  nodeFetchTransport,
  readAll,
  type RemoteRepository,
  type Transport,
} from "@undocked/registry";
import { expect } from "vitest";
import { at, refusal, withHeaders, type Reply, type Rule } from "../../support/front.ts";
import type { Define } from "./checklist.ts";
import { equal, imageOf, pushed, randomBlob } from "./content.ts";
import { login } from "./setups.ts";
import type { Site } from "./site.ts";

const blob = randomBlob("places");
const upload = /\/blobs\/uploads\//;

/** Mounts, and where an upload goes on. */
export function placeScenarios(scenario: Define): void {
  scenario("mount ok", async (site) => {
    const { from, to } = await mountable(site);
    expect(await to.mount(blob.descriptor, from)).toBe(true);
    expect(await to.exists(blob.descriptor)).toBe(true);
    expect(site.front.asked("PUT", /./)).toEqual([]);
  });

  scenario("mount 202", async (site) => {
    const { from, to } = await mountable(site);
    // A registry that mounts nothing begins an upload instead.
    site.front.on(at("POST", /mount=/, ({ path }, pass) => pass({ target: path })));
    expect(await to.mount(blob.descriptor, from)).toBe(false);
    // docker-registry gives a session up only to who may delete, which is not asked for unasked.
    const needsDelete = site.setup.server === "docker-registry" && site.setup.secure;
    expect(site.front.asked("DELETE", upload).map(({ status }) => status)).toEqual([needsDelete ? 401 : 204]);
    await expectPushed(to);
  });

  scenario("mount 401", async (site) => {
    await expectNotMounted(site, 401);
  });

  scenario("mount bad status", async (site) => {
    for (const status of [400, 403, 404, 405]) await expectNotMounted(site, status);
  });

  scenario("mount other registry", async (site) => {
    const other = await site.elsewhere();
    const { store, root } = await imageOf(site.path());
    // What another registry has is not there to be mounted: it is read there and sent here, and nobody is asked to mount.
    const source = site.path();
    await copyImage(root, store, site.repository(source));
    const from = site.client({ credentials: "anonymous" }).repository(`${other.host}/${source}`);
    const to = site.repository();
    await copyImage(root, from, to);
    expect(await to.exists(root)).toBe(true);
    expect([...site.front.requests, ...other.requests].filter(({ query }) => query.has("mount"))).toEqual([]);
    // And a repository of this registry that another login reads is none to mount from.
    const strangers = site.client({
      credentials: async ({ repository }) =>
        repository === source ? { username: "other", password: "OTHER" } : login,
    });
    expect(await site.repository(site.path(), strangers).mount(root, source)).toBe(false);
  });

  scenario("Location relative", async (site) => {
    site.front.on(relocated(site, (url) => url.pathname + url.search));
    await expectPushed(site.repository());
  });

  scenario("Location absolute", async (site) => {
    site.front.on(relocated(site, (url) => url.href));
    await expectPushed(site.repository());
    expectAuthorized(site);
  });

  scenario("Location port 443", async (site) => {
    // The scheme's own port, said and unsaid, is the same origin. The name stands for the front, whose port is another.
    const { front, setup } = site;
    const [scheme, port] = setup.secure ? ["https", 443] : ["http", 80];
    const direct = nodeFetchTransport({ environment: {} });
    const transport: Transport = (request) =>
      direct({
        ...request,
        url: request.url.replace(/^https?:\/\/registry\.localhost(?::\d+)?(?=\/)/, front.url),
      });
    front.on(relocated(site, (url) => `${scheme}://registry.localhost:${port}${url.pathname}${url.search}`));
    const client = site.client({
      transport,
      hosts: { "registry.localhost": { plainHttp: !setup.secure } },
      ...(setup.secure ? { credentials: { "registry.localhost": login } } : {}),
    });
    await expectPushed(client.repository(`registry.localhost/${site.path()}`));
    expectAuthorized(site);
    direct.close?.();
  });

  scenario("Location query kept", async (site) => {
    // As a signature may be written: not all of it is what URLSearchParams would write.
    const state = "sig=a~b%20c%2Fd+e&x=%7E&y";
    site.front.on(at("PUT", upload, ({ target }, pass) => pass({ target: target.replace(`${state}&`, "") })));
    site.front.on(
      relocated(
        site,
        (url) => `${url.pathname}?${state}${url.search === "" ? "" : `&${url.search.slice(1)}`}`,
      ),
    );
    await expectPushed(site.repository());
    expect(site.front.asked("PUT", upload)[0]?.target).toContain(`?${state}&`);
  });

  scenario("Location other host", async (site) => {
    const other = await site.elsewhere();
    site.front.on(relocated(site, (url) => `${other.url}${url.pathname}${url.search}`));
    await expectPushed(site.repository());
    expect(other.asked("PUT", upload).map(({ authorization }) => authorization)).toEqual([undefined]);
  });
}

async function mountable(site: Site): Promise<{ readonly from: string; readonly to: RemoteRepository }> {
  const from = site.path();
  await pushed(site.repository(from), blob);
  site.front.clear();
  return { from, to: site.repository() };
}

async function expectNotMounted(site: Site, status: number): Promise<void> {
  const { from, to } = await mountable(site);
  site.front.on(at("POST", /mount=/, refusal(status, "DENIED")));
  expect(await to.mount(blob.descriptor, from)).toBe(false);
  await expectPushed(to);
}

async function expectPushed(repository: RemoteRepository): Promise<void> {
  await pushed(repository, blob);
  expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
}

/** An upload's Location, written in another way. */
function relocated({ front }: Site, write: (url: URL) => string): Rule {
  return at("POST", upload, async (_, pass): Promise<Reply> => {
    const reply = await pass();
    const { location } = reply.headers ?? {};
    if (reply.status !== 202 || typeof location !== "string") return reply;
    return withHeaders(reply, { location: write(new URL(location, front.url)) });
  });
}

/** The same origin gets what it issued. */
function expectAuthorized({ front, setup }: Site): void {
  const kinds = front.asked("PUT", upload).map(({ authorization }) => authorization?.split(" ")[0]);
  expect(kinds).toEqual([setup.secure ? "Bearer" : undefined]);
}
