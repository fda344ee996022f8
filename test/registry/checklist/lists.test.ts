import { copyImage, nodeFetchTransport, type RemoteRepository, type Transport } from "@undocked/registry";
import { expect } from "vitest";
import { at, jsonReply, withHeaders, type Rule } from "../../support/front.ts";
import { checklist } from "./checklist.ts";
import { all, imageOf, pushed, referrerOf } from "./content.ts";
import type { Site } from "./site.ts";

const tagsList = /\/tags\/list/;
const names = Array.from({ length: 25 }, (_, at) => `v${String(at).padStart(2, "0")}`);

checklist("lists", (scenario) => {
  scenario("pagination", async (site) => {
    const repository = await tagged(site);
    site.front.on(
      paged(10, (next) => `</v2/${repository.reference.repository}/tags/list?${next}>; rel="next"`),
    );
    expect(await all(repository.tags())).toEqual(names);
    expect(pagesAsked(site)).toHaveLength(3);
  });

  scenario("Link", async (site) => {
    const repository = await tagged(site);
    const path = `/v2/${repository.reference.repository}/tags/list`;
    const links = [
      (next: string) => `<${path}?${next}>; rel="next"`,
      (next: string) => `<list?${next}>; rel=next`,
      (next: string) => `<${site.front.url}${path}?${next}>;rel="next"`,
      (next: string) => `</first,of,all>; rel="first", <?${next}>; title="a, b"; rel="last next"`,
    ];
    for (const link of links) {
      site.front.clear();
      site.front.on(paged(10, link));
      expect(await all(repository.tags())).toEqual(names);
    }
    // A page is asked for with what the registry issued: not at another origin (GHSA-h7vf-4x9w-h99v).
    const other = await site.elsewhere();
    site.front.clear();
    site.front.on(paged(10, (next) => `<${other.url}${path}?${next}>; rel="next"`));
    await expect(all(repository.tags())).rejects.toMatchObject({ code: "REDIRECT_REFUSED" });
    expect(other.requests).toEqual([]);
  });

  scenario("last parameter", async (site) => {
    // Where the next page begins is the registry's own affair: ECR's `last` is no tag at all.
    const repository = await tagged(site);
    site.front.on(paged(10, (next) => `<?${next}&last=opaque%2Fstate~a%3D%3D>; rel="next"`));
    expect(await all(repository.tags())).toEqual(names);
    const targets = pagesAsked(site).map(({ target }) => target.split("?")[1]);
    expect(targets[0]).toBe("n=1000");
    expect(targets.slice(1).every((query) => query?.endsWith("&last=opaque%2Fstate~a%3D%3D"))).toBe(true);
  });

  scenario("max pages", async (site) => {
    const path = site.path();
    site.front.on(
      at("GET", tagsList, () => jsonReply(200, { tags: ["v1"] }, { link: '<?page=1>; rel="next"' })),
    );
    const direct = nodeFetchTransport({ environment: {} });
    let pages = 0;
    // All but the first come from here: ten thousand from the line would take long, and show no more.
    const transport: Transport = async (request) => {
      if (!/[?]page=/.test(request.url)) return await direct(request);
      pages += 1;
      return page(`<?page=${pages + 1}>; rel="next"`);
    };
    const repository = site.repository(path, site.client({ transport }));
    await expect(all(repository.tags())).rejects.toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: "The pages of the listing go on for ever.",
    });
    expect(pages).toBe(9_999);
    direct.close?.();
  });

  scenario("unknown media type", async (site) => {
    const repository = await tagged(site);
    // Of tags the form counts, whatever the type: some registries say text/plain.
    site.front.on(
      at("GET", tagsList, async (_, pass) => withHeaders(await pass(), { "content-type": "text/plain" })),
    );
    expect((await all(repository.tags())).toSorted()).toEqual(names);
    // A list of referrers that is of no known type is none.
    const type = "application/x.unknown";
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [] });
    site.front.on(at("GET", /\/referrers\//, { status: 200, headers: { "content-type": type }, body }));
    const { digest } = await repository.resolve(names[0] ?? "");
    await expect(all(repository.referrers(digest))).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
  });

  scenario("parse error", async (site) => {
    const repository = site.repository();
    for (const body of ["<html>Sign in</html>", '{"tags":[1,2]}', '{"tags":"v1"}', "[]", "\xff\xfe", ""]) {
      site.front.clear();
      site.front.on(at("GET", tagsList, { status: 200, body }));
      await expect(all(repository.tags())).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
    }
    // An empty list, as some write it.
    for (const body of ['{"tags":null}', "{}"]) {
      site.front.clear();
      site.front.on(at("GET", tagsList, { status: 200, body }));
      expect(await all(repository.tags())).toEqual([]);
    }
  });

  scenario("filters", async (site) => {
    const repository = await tagged(site);
    const subject = await repository.resolve(names[0] ?? "");
    for (const [name, artifactType] of [
      ["one", "application/x.a"],
      ["two", "application/x.b"],
    ] as const) {
      const { config, manifest } = referrerOf(subject, name, artifactType);
      await pushed(repository, config);
      await pushed(repository, manifest);
    }
    const found = async (artifactType: string): Promise<readonly (string | undefined)[]> =>
      (await all(repository.referrers(subject.digest, { artifactType }))).map(
        ({ annotations }) => annotations?.["name"],
      );
    // By the registry, by us where it does not say that it did, and by tag where it has no such list.
    expect([await found("application/x.a"), await found("application/x.b"), await found("a/c")]).toEqual([
      ["one"],
      ["two"],
      [],
    ]);
    site.front.on(
      at("GET", /\/referrers\//, async ({ path }, pass) =>
        withHeaders(await pass({ target: path }), { "oci-filters-applied": undefined }),
      ),
    );
    expect([await found("application/x.a"), await found("a/c")]).toEqual([["one"], []]);
    expect(await all(repository.referrers(subject.digest))).toHaveLength(2);
  });

  scenario("cancel", async (site) => {
    const repository = await tagged(site);
    site.front.on(paged(10, (next) => `<?${next}>; rel="next"`));
    const stop = new AbortController();
    const found: string[] = [];
    const listing = (async () => {
      for await (const tag of repository.tags({ signal: stop.signal })) {
        found.push(tag);
        if (found.length === 10) stop.abort(new Error("enough"));
      }
    })();
    await expect(listing).rejects.toThrow("enough");
    expect(found).toEqual(names.slice(0, 10));
    expect(pagesAsked(site)).toHaveLength(1);
    // Who stops reading asks for no more either.
    for await (const tag of repository.tags()) if (tag === names[3]) break;
    expect(pagesAsked(site)).toHaveLength(2);
  });
});

async function tagged(site: Site): Promise<RemoteRepository> {
  const path = site.path();
  const { store, root } = await imageOf(path, 1);
  const repository = site.repository(path);
  await copyImage(root, store, repository);
  await repository.tagAll(root, names);
  site.front.clear();
  return repository;
}

/** So many names a page, the rest behind a link: docker-registry 2.8.2 has all its tags on one page. */
function paged(size: number, link: (next: string) => string): Rule {
  return at("GET", tagsList, async ({ path, query }, pass) => {
    const reply = await pass({ target: path });
    if (reply.status !== 200) return reply;
    const { tags } = JSON.parse(String(reply.body)) as { tags: string[] };
    const from = Number(query.get("from") ?? 0);
    const sorted = tags.toSorted();
    const more = from + size < sorted.length ? { link: link(`from=${from + size}`) } : {};
    return jsonReply(200, { tags: sorted.slice(from, from + size) }, more);
  });
}

const pagesAsked = (site: Site) => site.front.asked("GET", tagsList).filter(({ status }) => status === 200);

function page(link: string): Awaited<ReturnType<Transport>> {
  return {
    status: 200,
    headers: { get: (name) => (name === "link" ? link : null) },
    body: (async function* () {
      yield Buffer.from('{"tags":["v1"]}');
    })(),
    cancel: () => undefined,
  };
}
