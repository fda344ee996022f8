import { describe, expect, test } from "vitest";
import { readCorpus } from "../../../../test/support/corpus.ts";
import { apiHost, parseReference, referrersTag } from "../oci/reference.ts";
import { digestOf, isDigest, parseDigest } from "../oci/digest.ts";
import { parseManifestDocument } from "../oci/manifest.ts";
import { readAll } from "../store/verify.ts";
import { isLoopback } from "./address.ts";
import { registryClient } from "./client.ts";
import { parseHostsToml } from "./hosts-toml.ts";
import { nextPage, type NextPage } from "./link.ts";
import { judgeLocation, withQuery, type RefusedReason } from "./location.ts";
import { parseContentRange, planResumption, receivedBytes } from "./range.ts";
import { judgeRealm } from "./realm.ts";
import { planRedirect } from "./redirect.ts";
import type { RemoteRepository } from "./repository.ts";
import {
  adviceForErrorCode,
  adviceForSocketError,
  adviceForStatus,
  parseRetryAfter,
} from "./retry-policy.ts";
import { parseWarnings } from "./warning.ts";

interface Locations {
  readonly digest: string;
  readonly uploadLocation: readonly {
    name: string;
    request: string;
    location: string | null;
    put?: string;
    sendRegistryCredentials?: boolean;
    error?: string;
  }[];
  readonly redirects: readonly {
    name: string;
    method: string;
    status: number;
    from: string;
    to: string | null;
    allow: boolean;
    authorizationKept?: boolean;
    methodAfter?: string;
  }[];
  readonly realms: readonly { name: string; realm: string; registry: string; allow: boolean }[];
  readonly links: readonly {
    name: string;
    request?: string;
    header?: string;
    next?: string | null;
    error?: string;
  }[];
  readonly ranges: {
    range: readonly { header: string; received: number | null }[];
    contentRange: readonly { header: string; ok: readonly (number | null)[] | null }[];
    resume: readonly {
      have: number;
      size: number;
      status: number;
      contentRange: string | null;
      then: string;
    }[];
  };
}

const locations = readCorpus<Locations>("registry/redirects-and-locations.json");
const named = <T extends { name: string }>(cases: readonly T[]) => cases.map((it) => [it.name, it] as const);

const reasons: Readonly<Record<string, readonly RefusedReason[]>> = {
  MISSING_LOCATION: ["missing"],
  BAD_LOCATION: ["malformed", "userinfo"],
  BAD_SCHEME: ["scheme"],
  PRIVATE_ADDRESS: ["private-address"],
  DOWNGRADE: ["downgrade"],
};

describe(`${locations.uploadLocation.length} upload Locations`, () => {
  test.each(named(locations.uploadLocation))("%s", (_, it) => {
    const judged = judgeLocation(it.request, it.location);
    if (it.error !== undefined) {
      const expected = it.error.split(" or ").flatMap((name) => reasons[name] ?? []);
      expect(judged.kind === "refused" ? expected : judged).toContain(
        judged.kind === "refused" ? judged.reason : "",
      );
      return;
    }
    expect(judged.kind).toBe("allowed");
    if (judged.kind !== "allowed") return;
    expect(withQuery(judged.url, "digest", locations.digest)).toBe(it.put);
    expect(judged.sameOrigin).toBe(it.sendRegistryCredentials);
  });
});

describe(`${locations.redirects.length} redirects`, () => {
  test.each(named(locations.redirects))("%s", (_, it) => {
    // One case is a chain: from one server to another, and back.
    const targets = it.to === null ? [null] : it.to.split(" then ");
    let url = it.from;
    let { method } = it;
    let authorized = true;
    let followed = true;
    const visited = [url];
    for (const target of targets) {
      const hasBody = method === "PUT";
      const redirect = planRedirect({ method, url, hasBody }, it.status, target, visited);
      if (redirect.kind === "refused") {
        followed = false;
        break;
      }
      authorized &&= redirect.sameOrigin;
      ({ url, method } = redirect);
      visited.push(url);
    }
    expect(followed).toBe(it.allow);
    if (!it.allow) return;
    expect(authorized).toBe(it.authorizationKept);
    expect(method).toBe(it.methodAfter);
  });
});

describe(`${locations.realms.length} realms`, () => {
  test.each(named(locations.realms))("%s", (_, it) => {
    expect(judgeRealm(it.realm, it.registry).kind === "allowed").toBe(it.allow);
  });
});

describe(`${locations.links.length} Link headers`, () => {
  const kinds: Readonly<Record<string, NextPage>> = {
    CROSS_ORIGIN: { kind: "refused", reason: "cross-origin" },
    BAD_LINK: { kind: "refused", reason: "malformed" },
    LOOP: { kind: "refused", reason: "loop" },
  };
  const headers = locations.links.filter(({ request }) => request !== undefined);
  test.each(named(headers))("%s", (_, it) => {
    const page = nextPage(it.request ?? "", it.header ?? null);
    if (it.error !== undefined) expect(page).toEqual(kinds[it.error]);
    else
      expect(page).toEqual(typeof it.next === "string" ? { kind: "page", url: it.next } : { kind: "none" });
  });
  const listings = locations.links.filter(({ request }) => request === undefined);
  test.each(named(listings))("%s", async (_, it) => {
    expect(it.error).toBe("TOO_MANY_PAGES");
    let page = 0;
    const repository = answeredWith(() => ({
      text: '{"tags":["a"]}',
      link: `<?page=${(page += 1)}>; rel="next"`,
    }));
    await expect(readTags(repository)).rejects.toMatchObject({ code: "REGISTRY_PROTOCOL" });
  });
});

describe("ranges", () => {
  test.each(locations.ranges.range.map((it) => [it.header, it] as const))("Range: %s", (_, it) => {
    expect(receivedBytes(it.header) ?? null).toBe(it.received);
  });
  test.each(locations.ranges.contentRange.map((it) => [it.header, it] as const))(
    "Content-Range: %s",
    (_, it) => {
      const range = parseContentRange(it.header);
      expect(range === undefined ? null : [range.first, range.last, range.size ?? null]).toEqual(it.ok);
    },
  );
  test.each(
    locations.ranges.resume.map(
      (it) => [`${it.have}/${it.size} ${it.status} ${it.contentRange}`, it] as const,
    ),
  )("resumed at %s", (_, it) => {
    const { kind } = planResumption(it.have, it.size, it.status, it.contentRange);
    const expected = it.then.startsWith("fail")
      ? "failed"
      : it.then.startsWith("range ignored")
        ? "skip"
        : it.then.startsWith("done")
          ? "done"
          : "append";
    expect(kind).toBe(expected);
  });
});

interface Misc {
  readonly hosts: readonly { reference: string; apiHost: string; repository: string }[];
  readonly plainHttpAllowedByDefault: readonly { host: string; http: boolean }[];
  readonly warnings: {
    cases: readonly { header: string; text: string | null }[];
    joined: readonly { header: string; texts: readonly string[] }[];
  };
  readonly retry: {
    statuses: readonly { status: number; retry: boolean }[];
    errorCodes: readonly { code: string; retry: boolean | string }[];
    socketErrors: readonly { code: string; retry: boolean | string }[];
    retryAfter: readonly { header: string; now: string; waitMs: number | null }[];
  };
  readonly hostsToml: { toml: string; expect: unknown };
  readonly referrersTag: readonly { digest: string; tag: string }[];
  readonly digests: readonly { digest: string; valid: boolean }[];
  readonly manifests: readonly {
    name: string;
    contentType: string;
    body?: unknown;
    raw?: string;
    verdict: string;
  }[];
}

const misc = readCorpus<Misc>("registry/protocol-misc.json");

test.each(misc.hosts.map((it) => [it.reference, it] as const))("the API's host of %s", (_, it) => {
  const { registry, repository } = parseReference(it.reference);
  expect({ apiHost: apiHost(registry), repository }).toEqual({
    apiHost: it.apiHost,
    repository: it.repository,
  });
});

test.each(misc.plainHttpAllowedByDefault.map((it) => [it.host, it] as const))("plain http to %s", (_, it) => {
  expect(isLoopback(it.host)).toBe(it.http);
});

describe("warnings", () => {
  test.each(misc.warnings.cases.map((it) => [it.header, it] as const))("%j", (_, it) => {
    expect(parseWarnings(it.header)).toEqual(it.text === null ? [] : [it.text]);
  });
  test.each(misc.warnings.joined.map((it) => [it.header, it] as const))("%j", (_, it) => {
    expect(parseWarnings(it.header)).toEqual(it.texts);
  });
});

describe("retries", () => {
  test.each(misc.retry.statuses.map((it) => [it.status, it] as const))("after status %i", (_, it) => {
    expect(adviceForStatus(it.status) === "again").toBe(it.retry);
  });
  test.each(misc.retry.errorCodes.map((it) => [it.code, it] as const))("after %s", (_, it) => {
    const expected = { true: "again", false: "never", "new upload session": "new-session" }[String(it.retry)];
    expect(adviceForErrorCode(it.code)).toBe(expected ?? "once");
  });
  test.each(misc.retry.socketErrors.map((it) => [it.code, it] as const))("after %s", (_, it) => {
    // EPROTO is answered by finding out whether the host speaks TLS, not by trying again.
    expect(adviceForSocketError(it.code) === "again").toBe(it.retry === true);
  });
  test.each(misc.retry.retryAfter.map((it) => [it.header, it] as const))("Retry-After: %s", (_, it) => {
    expect(parseRetryAfter(it.header, Date.parse(it.now)) ?? null).toBe(it.waitMs);
  });
});

test.each(misc.referrersTag.map((it) => [it.digest, it] as const))("the referrers tag of %s", (_, it) => {
  expect(referrersTag(it.digest)).toBe(it.tag);
});

test.each(misc.digests.map((it) => [it.digest, it] as const))("the digest %j", (_, it) => {
  expect(isDigest(it.digest)).toBe(it.valid);
  if (!it.valid)
    expect(() => parseDigest(it.digest)).toThrow(expect.objectContaining({ code: "DIGEST_INVALID" }));
});

describe(`${misc.manifests.length} manifests`, () => {
  const generated: Readonly<Record<string, () => string>> = {
    "100000 children": () => {
      const child = {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: `sha256:${"a".repeat(64)}`,
        size: 2,
      };
      return JSON.stringify({ schemaVersion: 2, manifests: Array.from({ length: 100_000 }, () => child) });
    },
    "nesting depth 100000": () => "[".repeat(100_000),
  };
  for (const it of misc.manifests) {
    const promised = /^\(by digest, descriptor mediaType (\S+)\) (\S+)$/.exec(it.contentType);
    if (promised !== null) {
      const [, mediaType = "", type = ""] = promised;
      test(it.name, async () => {
        const text = JSON.stringify(it.body);
        const target = { mediaType, digest: digestOf(text), size: text.length };
        const reading = readAll(answeredWith(() => ({ text, type })).fetch(target));
        expect(it.verdict).toBe("reject");
        await expect(reading).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
      });
      continue;
    }
    test(it.name, () => {
      const text = generated[it.name]?.() ?? it.raw ?? JSON.stringify(it.body);
      const read = () => parseManifestDocument(Buffer.from(text), it.contentType.split(";")[0]);
      if (it.verdict.startsWith("reject"))
        expect(read).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID" }));
      else expect(read().kind).toBe(it.verdict.startsWith("index") ? "index" : "manifest");
      expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
    });
  }
});

test("containerd's hosts.toml: the hosts in their order, with what each is for", () => {
  expect(parseHostsToml(misc.hostsToml.toml, "hosts.toml")).toEqual(misc.hostsToml.expect);
});

interface Answered {
  readonly text: string;
  readonly type?: string;
  readonly link?: string;
}

/** A repository whose registry has one answer to everything. */
function answeredWith(answer: () => Answered): RemoteRepository {
  const client = registryClient({
    credentials: "anonymous",
    transport: async () => {
      const { text, type = null, link = null } = answer();
      const headers = new Map([
        ["content-type", type],
        ["link", link],
      ]);
      return {
        status: 200,
        headers: { get: (name) => headers.get(name) ?? null },
        body: (async function* () {
          yield Buffer.from(text);
        })(),
        cancel: () => undefined,
      };
    },
  });
  return client.repository("registry.example/a");
}

async function readTags(repository: RemoteRepository): Promise<number> {
  let count = 0;
  for await (const _ of repository.tags()) count += 1;
  return count;
}
