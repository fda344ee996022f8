import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, memoryTree, type BuildOptions, type BuiltImage } from "@undocked/core";
import {
  copyImage,
  parseManifestDocument,
  readAll,
  registryClient,
  type RegistryClient,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mergedUsrBase, plainBase } from "../support/bases.ts";
import { startDockerRegistry } from "../support/docker-registry.ts";
import { at, startFront, type Front, type FrontRequest } from "../support/front.ts";
import type { MadeImage } from "../support/make-image.ts";
import { validateImage } from "../support/random-image.ts";
import { lacks } from "../support/tools.ts";

/* Every request of a build and its push, by what it is for: one more is one too many. */

const kinds = [
  { name: "the embedded registry", missing: false, open: openEmbedded, namesTogether: true },
  {
    name: "docker-registry",
    missing: lacks("docker-registry"),
    open: () => startDockerRegistry(),
    namesTogether: false,
  },
] as const;

async function openEmbedded() {
  const registry = await startRegistry();
  return { url: `http://${registry.host}`, [Symbol.asyncDispose]: () => registry.close() };
}

for (const { name, missing, open, namesTogether } of kinds) {
  describe.skipIf(missing)(`a build and its push to ${name}`, () => {
    let home: Place;
    let away: Place;
    let client: RegistryClient;
    let directory: string;
    let baseConfig: string;

    beforeAll(async () => {
      client = registryClient({ credentials: "anonymous" });
      [home, away] = [await openPlace(open), await openPlace(open)];
      const single = await plainBase();
      const document = parseManifestDocument(await readAll(single.store.fetch(single.root)));
      baseConfig = document.kind === "manifest" ? document.manifest.config.digest : "";
      for (const { front } of [home, away]) await publish(front, "base", single);
      await publish(home.front, "multi", await mergedUsrBase());
    });
    afterAll(async () => {
      await client[Symbol.asyncDispose]();
      for (const place of [home, away]) await place[Symbol.asyncDispose]();
    });
    beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "undocked-requests-"))));
    afterEach(() => rmSync(directory, { recursive: true, force: true }));

    async function publish(front: Front, repository: string, image: MadeImage): Promise<void> {
      const target = client.repository(`${front.host}/${repository}`);
      await copyImage(image.root, image.store, target, { tags: ["1"] });
    }

    /** @returns what was asked, with the names of what it is about for digests */
    async function push(base: string, tags: readonly string[], content: string, options: BuildOptions = {}) {
      for (const { front } of [home, away]) front.clear();
      await using image = await buildImage({
        dockerfile: { text: `FROM ${base}\nCOPY f /srv/f\n` },
        context: memoryTree({ "/f": content }),
        cache: join(directory, "cache"),
        registry: client,
        tags,
        push: true,
        ...options,
      });
      const seen = [home, away].flatMap(({ front }) => [...front.requests]);
      const named = namesIn(image).set(baseConfig, "base config");
      for (const tag of tags) await validateImage(image.root, client.repository(tag));
      return seen.map((request) => lineOf(request, named));
    }

    /** A blob that was not there. */
    const sent = (repository: string, content: string): string[] => [
      `HEAD ${repository}/blobs/${content}`,
      `POST ${repository}/blobs/uploads/`,
      `PUT ${repository}/blobs/uploads/*?digest=${content}`,
    ];

    test("the first over a base of the same registry", async () => {
      const asked = await push(`${home.front.host}/base:1`, [`${home.front.host}/first:1`], "1");
      expect(asked.toSorted()).toEqual(
        [
          "GET base/manifests/1",
          "GET base/blobs/base config",
          "GET base/blobs/base layer",
          ...sent("first", "layer"),
          ...sent("first", "config"),
          "HEAD first/blobs/base layer",
          "POST first/blobs/uploads/?mount=base layer&from=base",
          "PUT first/manifests/1",
        ].toSorted(),
      );
      expect(asked.at(-1)).toBe("PUT first/manifests/1");
    });

    test("the first over a base of another registry", async () => {
      const asked = await push(`${away.front.host}/base:1`, [`${home.front.host}/moved:1`], "1");
      expect(asked.toSorted()).toEqual(
        [
          "GET base/manifests/1",
          "GET base/blobs/base config",
          "GET base/blobs/base layer",
          ...sent("moved", "layer"),
          ...sent("moved", "config"),
          // Asked for before it is read, to know whether all of it is needed, and not again.
          ...sent("moved", "base layer"),
          "PUT moved/manifests/1",
        ].toSorted(),
      );
    });

    test("of what changed, under the same tag", async () => {
      const [base, tag] = [`${home.front.host}/base:1`, `${home.front.host}/changed:1`];
      await push(base, [tag], "1");
      const asked = await push(base, [tag], "2");
      expect(asked.toSorted()).toEqual(
        [
          "HEAD base/manifests/1",
          ...sent("changed", "layer"),
          ...sent("changed", "config"),
          "HEAD changed/blobs/base layer",
          "PUT changed/manifests/1",
        ].toSorted(),
      );
      expect(asked.at(-1)).toBe("PUT changed/manifests/1");
    });

    test("of nothing new", async () => {
      const [base, tag] = [`${home.front.host}/base:1`, `${home.front.host}/again:1`];
      await push(base, [tag], "1");
      expect((await push(base, [tag], "1")).toSorted()).toEqual([
        "HEAD again/manifests/1",
        "HEAD base/manifests/1",
      ]);
    });

    test("with several tags", async () => {
      const base = `${home.front.host}/base:1`;
      const tags = ["a", "b", "c"].map((tag) => `${home.front.host}/tags:${tag}`);
      await push(base, [`${home.front.host}/other:1`], "1");
      const asked = await push(base, tags, "2");
      expect(asked.toSorted()).toEqual(
        [
          "HEAD base/manifests/1",
          ...sent("tags", "layer"),
          ...sent("tags", "config"),
          "HEAD tags/blobs/base layer",
          "POST tags/blobs/uploads/?mount=base layer&from=base",
          "PUT tags/manifests/root?tag=a&tag=b&tag=c",
          ...(namesTogether ? [] : ["a", "b", "c"].map((tag) => `PUT tags/manifests/${tag}`)),
        ].toSorted(),
      );
      expect((await push(base, tags, "2")).toSorted()).toEqual(
        ["HEAD base/manifests/1", ...["a", "b", "c"].map((tag) => `HEAD tags/manifests/${tag}`)].toSorted(),
      );
    });

    test("of an index of two platforms", async () => {
      const options = { platforms: ["linux/amd64", "linux/arm64"] };
      const asked = await push(`${home.front.host}/multi:1`, [`${home.front.host}/index:1`], "1", options);
      const first = /(?<=^HEAD index\/blobs\/)(?:amd64|arm64)(?= base layer$)/;
      const pushed = asked
        .filter((line) => / index\//.test(line))
        .map((line) => line.replace(first, "first"));
      expect(pushed.toSorted()).toEqual(
        [
          ...sent("index", "layer"),
          ...["amd64", "arm64"].flatMap((platform) => [
            ...sent("index", `${platform} config`),
            `PUT index/manifests/${platform} manifest`,
          ]),
          // It tells of the other, whichever it is.
          "HEAD index/blobs/first base layer",
          ...["amd64", "arm64"].map(
            (platform) => `POST index/blobs/uploads/?mount=${platform} base layer&from=multi`,
          ),
          "PUT index/manifests/1",
        ].toSorted(),
      );
      expect(asked.at(-1)).toBe("PUT index/manifests/1");
      const again = await push(`${home.front.host}/multi:1`, [`${home.front.host}/index:1`], "1", options);
      expect(again.toSorted()).toEqual(["HEAD index/manifests/1", "HEAD multi/manifests/1"]);
    });

    test("layer and configuration go side by side", async () => {
      const [base, tag] = [`${home.front.host}/base:1`, `${home.front.host}/together:1`];
      const questions = meeting(2);
      home.front.on(at("HEAD", /\/v2\/together\/blobs\//, questions));
      const sendings = meeting(2);
      home.front.on(at("PUT", /\/v2\/together\/blobs\//, sendings));
      await pushKept(base, [tag]);
      expect([questions.met(), sendings.met()]).toEqual([true, true]);
    });

    /** With the rules that the front has. */
    async function pushKept(base: string, tags: readonly string[]): Promise<void> {
      await using _image = await buildImage({
        dockerfile: { text: `FROM ${base}\nCOPY f /srv/f\n` },
        context: memoryTree({ "/f": "together" }),
        cache: join(directory, "cache"),
        registry: client,
        tags: [...tags],
        push: true,
      });
      home.front.clear();
    }
  });
}

interface Place extends AsyncDisposable {
  readonly front: Front;
}

/** A registry, with a front that sees what it is asked. */
async function openPlace(open: () => Promise<{ readonly url: string } & AsyncDisposable>): Promise<Place> {
  const registry = await open();
  const front = await startFront({ upstream: () => registry.url });
  return {
    front,
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** Lets nobody pass before so many have come; whoever comes after them passes. */
function meeting(count: number) {
  let come = 0;
  let open = (): void => {};
  const all = new Promise<void>((resolve) => (open = resolve));
  return Object.assign(
    async (): Promise<undefined> => {
      come += 1;
      if (come >= count) open();
      await all;
      return undefined;
    },
    { met: () => come >= count },
  );
}

/** What digests stand for: of one platform's image its parts, of several those of each. */
function namesIn({ root, images }: BuiltImage): Map<string, string> {
  const names = new Map<string, string>();
  for (const { platform, manifest, root: document } of images) {
    const prefix = images.length === 1 ? "" : `${platform.architecture} `;
    const [baseLayer, layer] = manifest.layers;
    names.set(manifest.config.digest, `${prefix}config`);
    names.set(document.digest, `${prefix}manifest`);
    names.set(baseLayer?.digest ?? "", `${prefix}base layer`);
    names.set(layer?.digest ?? "", "layer");
  }
  return names.set(root.digest, "root");
}

function lineOf({ method, path, query }: FrontRequest, names: ReadonlyMap<string, string>): string {
  const word = (text: string): string => names.get(text) ?? text;
  const place = path
    .replace(/^\/v2\//, "")
    .replace(/(?<=\/uploads\/)[^/]+$/, "*")
    .replace(/sha256:[0-9a-f]{64}$/, word);
  const told = [...query]
    .filter(([key]) => !key.startsWith("_"))
    .map(([key, value]) => `${key}=${word(value)}`)
    .join("&");
  return `${method} ${place}${told === "" ? "" : `?${told}`}`;
}
