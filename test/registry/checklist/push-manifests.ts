import { copyImage, encodeJson, MediaType, type Descriptor, type RemoteRepository } from "@undocked/registry";
import { expect } from "vitest";
import { at, refusal, times, withHeaders, type Rule } from "../../support/front.ts";
import type { Define } from "./checklist.ts";
import { all, blobOf, documentOf, imageOf, pushed, referrerOf } from "./content.ts";
import type { Site } from "./site.ts";

/** Manifests, their tags, and what refers to them. */
export function manifestScenarios(scenario: Define): void {
  scenario("manifest retry", async (site) => {
    site.front.on(times(2, at("PUT", /\/manifests\//, refusal(502, "UNAVAILABLE"))));
    const path = site.path();
    const { store, root } = await imageOf(path);
    await copyImage(root, store, site.repository(path), { tags: ["v1"] });
    expect(await site.repository(path).resolve("v1")).toEqual(root);
  });

  scenario("tag by digest", async (site) => {
    const path = site.path();
    const { store, root } = await imageOf(path);
    const repository = site.repository(path);
    await copyImage(root, store, repository);
    site.front.clear();
    // Of content that the caller does not have, by its digest alone.
    await repository.tag(await repository.resolve(root.digest), "v1");
    expect(await repository.resolve("v1")).toEqual(root);
    expect(site.front.asked("PUT", /\/manifests\/v1$/)).toHaveLength(1);
  });

  scenario("subject: API", async (site) => {
    if (site.setup.server === "docker-registry") site.front.on(referrersApi());
    const { repository, subject } = await withSubject(site);
    const referrer = await pushReferrer(repository, subject, "one");
    expect(await digests(repository, subject)).toEqual([referrer.digest]);
    expect(site.front.asked("*", /\/manifests\/sha256-/)).toEqual([]);
  });

  scenario("subject: fallback", async (site) => {
    site.front.on(withoutApi);
    const { repository, subject } = await withSubject(site);
    const referrer = await pushReferrer(repository, subject, "one");
    expect(await digests(repository, subject)).toEqual([referrer.digest]);
    const index = await repository.fetchManifest(tagOf(subject));
    expect(index.descriptor.mediaType).toBe(MediaType.ociIndex);
    expect(await listed(repository, subject)).toEqual([
      { ...referrer, artifactType: "application/x.checklist", annotations: { name: "one" } },
    ]);
    // What is deleted is no referrer any more.
    expect(await repository.delete(referrer)).toBe(true);
    expect(await digests(repository, subject)).toEqual([]);
  });

  scenario("subject: concurrent", async (site) => {
    site.front.on(withoutApi);
    // One client takes turns with itself, where the registry does not notice who writes over whom.
    const path = site.path();
    const { repository, subject } = await withSubject(site, path);
    await expectAllListed([repository], subject);
    // Several clients are told by a registry that knows of conditions.
    site.front.on(conditional());
    const next = await withSubject(site, path);
    await expectAllListed([repository, site.repository(path, site.client())], next.subject);
  });

  scenario("subject: inconsistent index", async (site) => {
    site.front.on(withoutApi);
    const { repository, subject } = await withSubject(site);
    const first = await pushReferrer(repository, subject, "first");
    // Somebody wrote an entry twice, and noted something of their own.
    const annotations = { "written.by": "somebody" };
    const twice = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [first, first], annotations };
    await tagIndex(repository, subject, twice);
    expect(await digests(repository, subject)).toEqual([first.digest]);
    const second = await pushReferrer(repository, subject, "second");
    const { document } = await repository.fetchManifest(tagOf(subject));
    expect(document.kind === "index" && document.index.manifests.map(({ digest }) => digest)).toEqual([
      first.digest,
      second.digest,
    ]);
    expect(document.kind === "index" && document.index.annotations).toEqual(annotations);
    // Somebody got no further than the manifest: pushed again, it is listed.
    await tagIndex(repository, subject, { ...twice, manifests: [first] });
    await pushReferrer(repository, subject, "second");
    expect(await digests(repository, subject)).toEqual([first.digest, second.digest]);
    // And something else lies under the tag: it is not a list, and not ours to write over.
    await repository.tag(first, tagOf(subject));
    await expect(pushReferrer(repository, subject, "third")).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
    });
    expect((await repository.resolve(tagOf(subject))).digest).toBe(first.digest);
    expect(await digests(repository, subject)).toEqual([]);
  });

  scenario("subject: GC", async (site) => {
    site.front.on(withoutApi);
    const { repository, subject } = await withSubject(site);
    const first = await pushReferrer(repository, subject, "first");
    const old = await repository.resolve(tagOf(subject));
    const second = await pushReferrer(repository, subject, "second");
    expect(await digests(repository, subject)).toEqual([first.digest, second.digest]);
    // Nothing names the old list any more.
    expect(await repository.exists(old)).toBe(false);
    // Where the registry deletes nothing, it is asked once, and stays as it is.
    site.front.clear();
    site.front.on(withoutApi);
    site.front.on(at("DELETE", /\/manifests\//, refusal(405, "UNSUPPORTED")));
    await pushReferrer(repository, subject, "third");
    await pushReferrer(repository, subject, "fourth");
    expect(await digests(repository, subject)).toHaveLength(4);
    expect(site.front.asked("DELETE", /\/manifests\//).filter(({ status }) => status === 405)).toHaveLength(
      1,
    );
  });
}

/** That all are found which are pushed at once, by each client in turn. */
async function expectAllListed(
  repositories: readonly RemoteRepository[],
  subject: Descriptor,
): Promise<void> {
  const names = ["a", "b", "c", "d", "e", "f"];
  const [first] = repositories;
  if (first === undefined) throw new Error("There is no client.");
  // What they have in common is there: docker-registry takes no manifest while a blob of it is being finished again.
  await pushed(first, referrerOf(subject, "").config);
  const referrers = await Promise.all(
    names.map((name, at) => pushReferrer(repositories[at % repositories.length] ?? first, subject, name)),
  );
  expect([...(await digests(first, subject))].toSorted(compare)).toEqual(
    referrers.map(({ digest }) => digest).toSorted(compare),
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : 1);

const tagOf = (subject: Descriptor): string => subject.digest.replace(":", "-");

let subjects = 0;

async function withSubject(
  site: Site,
  path = site.path(),
): Promise<{ readonly repository: RemoteRepository; readonly subject: Descriptor }> {
  const { store, root } = await imageOf(`subject/${(subjects += 1)}`);
  const repository = site.repository(path);
  await copyImage(root, store, repository);
  return { repository, subject: root };
}

async function pushReferrer(
  repository: RemoteRepository,
  subject: Descriptor,
  name: string,
): Promise<Descriptor> {
  const { config, manifest } = referrerOf(subject, name);
  await pushed(repository, config);
  return (await pushed(repository, manifest)).descriptor;
}

async function listed(repository: RemoteRepository, subject: Descriptor): Promise<readonly Descriptor[]> {
  return await all(repository.referrers(subject.digest));
}

async function digests(repository: RemoteRepository, subject: Descriptor): Promise<readonly string[]> {
  return (await listed(repository, subject)).map(({ digest }) => digest);
}

async function tagIndex(repository: RemoteRepository, subject: Descriptor, index: object): Promise<void> {
  const document = documentOf(index, MediaType.ociIndex);
  await pushed(repository, document);
  await repository.tag(document.descriptor, tagOf(subject));
}

/** A registry that knows nothing of referrers, as docker-registry 2.8.2 is by itself. */
const withoutApi: Rule = async ({ method, path }, pass) => {
  if (/\/referrers\//.test(path)) return refusal(404, "UNSUPPORTED");
  if (method !== "PUT" || !/\/manifests\/sha256:/.test(path)) return undefined;
  return withHeaders(await pass(), { "oci-subject": undefined });
};

/** What docker-registry 2.8.2 lacks: it notices subjects, and lists what refers to them. */
function referrersApi(): Rule {
  const bySubject = new Map<string, Descriptor[]>();
  return async ({ method, path, body, headers }, pass) => {
    const subject = /\/referrers\/(sha256:\w+)$/.exec(path)?.[1];
    if (method === "GET" && subject !== undefined) {
      const manifests = bySubject.get(subject) ?? [];
      const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests };
      return { status: 200, headers: { "content-type": MediaType.ociIndex }, body: encodeJson(index) };
    }
    if (method !== "PUT" || !/\/manifests\/sha256:/.test(path)) return undefined;
    const reply = await pass();
    const named = (JSON.parse(body.toString()) as { subject?: Descriptor }).subject;
    if (reply.status !== 201 || named === undefined) return reply;
    const { descriptor } = blobOf(body, "sha256", headers["content-type"]);
    bySubject.set(named.digest, [...(bySubject.get(named.digest) ?? []), descriptor]);
    return withHeaders(reply, { "oci-subject": named.digest });
  };
}

/** Registries that know of conditions; neither of the two does. */
function conditional(): Rule {
  let last: Promise<unknown> = Promise.resolve();
  const etags = new Map<string, string>();
  return at("*", /\/manifests\/sha256-/, (request, pass) => {
    const answer = async () => {
      const { method, path, headers, body } = request;
      const etag = etags.get(path);
      if (method !== "PUT")
        return withHeaders(await pass(), { etag: etag === undefined ? undefined : `"${etag}"` });
      const isAsExpected =
        headers["if-none-match"] === "*" ? etag === undefined : headers["if-match"] === `"${etag}"`;
      if (!isAsExpected) return refusal(412, "UNKNOWN");
      const reply = await pass({ headers: { "if-match": undefined, "if-none-match": undefined } });
      if (reply.status === 201) etags.set(path, blobOf(body).descriptor.digest);
      return reply;
    };
    const turn = last.then(answer, answer);
    last = turn;
    return turn;
  });
}
