import { describe, expect, test } from "vitest";
import { readCorpus } from "../../../../test/support/corpus.ts";
import { findLogin, parseCredentialFile } from "./config-file.ts";
import type { Credential } from "./credential.ts";
import { parseEcrHost } from "./ecr-host.ts";
import { askHelper, isHelperName, readHelperOutcome, type HelperOutcome } from "./helper.ts";
import { credentialKey, hostOfKey, namespaceKeys } from "./lookup-key.ts";
import { mergeScopes, parseScope, requestScopes, repositoryScope } from "./scope.ts";
import { credentialPlaces } from "./search-path.ts";
import { parseReference } from "../oci/reference.ts";

interface Credentials {
  readonly files: Readonly<Record<string, unknown>>;
  readonly lookups: readonly {
    file: string;
    host: string;
    repository: string;
    expect: (Credential & { helper?: string; stdin?: string; thenFile?: Credential }) | null;
  }[];
  readonly helperOutputs: readonly {
    name: string;
    exit: number | string;
    stdout: string;
    expect:
      | (Credential & { error?: string; messageContains?: string; mustNotContain?: readonly string[] })
      | null;
  }[];
  readonly helperNames: readonly { name: string; ok: boolean }[];
  readonly searchPaths: readonly { env: Record<string, string>; order: readonly string[] }[];
  readonly ecrHosts: readonly {
    host: string;
    service: string | null;
    account: string | null;
    region: string | null;
    fips: boolean | null;
  }[];
  readonly keyToHost: readonly { in: string; out: string }[];
  readonly namespaceKeys: readonly { in: string; keys: readonly string[] }[];
}

const credentials = readCorpus<Credentials>("registry/credentials.json");

test("a file of docker's first years, without auths", () => {
  const file = parseCredentialFile(JSON.stringify(credentials.files["legacy.json"]), "legacy.json");
  expect(findLogin(file, "docker.io", "library/x").credential).toEqual({
    username: "docker",
    password: "io-legacy",
  });
});

describe(`${credentials.lookups.length} look-ups`, () => {
  for (const it of credentials.lookups) {
    test(`${it.host}/${it.repository} in ${it.file}`, () => {
      const file = parseCredentialFile(JSON.stringify(credentials.files[it.file]), it.file);
      const found = findLogin(file, it.host, it.repository);
      if (it.expect?.helper !== undefined) {
        expect(`docker-credential-${found.helper?.name}`).toBe(it.expect.helper);
        expect(found.helper?.key).toBe(it.expect.stdin);
        if (it.expect.thenFile !== undefined) expect(found.credential).toEqual(it.expect.thenFile);
        return;
      }
      expect(found.credential ?? null).toEqual(it.expect);
    });
  }
});

const helperErrors: Readonly<Record<string, string>> = {
  HELPER_FAILED: "CREDENTIAL_HELPER_FAILED",
  HELPER_BAD_OUTPUT: "CREDENTIAL_HELPER_OUTPUT",
  HELPER_TIMEOUT: "CREDENTIAL_HELPER_TIMEOUT",
  HELPER_NOT_FOUND: "CREDENTIAL_HELPER_NOT_FOUND",
};

describe(`${credentials.helperOutputs.length} outcomes of helpers`, () => {
  test.each(credentials.helperOutputs.map((it) => [it.name, it] as const))("%s", (_, it) => {
    const outcome: HelperOutcome = it.stdout.startsWith("x*")
      ? { kind: "too-large" }
      : it.exit === "timeout"
        ? { kind: "timeout" }
        : it.exit === "ENOENT"
          ? { kind: "not-found" }
          : typeof it.exit === "number"
            ? { kind: "exit", code: it.exit, stdout: it.stdout }
            : { kind: "killed" };
    const read = () => readHelperOutcome("docker-credential-x", outcome);
    if (it.expect?.error === undefined) {
      expect(read() ?? null).toEqual(it.expect);
      return;
    }
    let thrown: unknown;
    try {
      read();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: helperErrors[it.expect.error] });
    expect(String(thrown)).toContain(it.expect.messageContains ?? "");
    for (const secret of it.expect.mustNotContain ?? []) expect(String(thrown)).not.toContain(secret);
  });
});

test.each(credentials.helperNames.map((it) => [it.name, it] as const))(
  "the helper name %j",
  async (_, it) => {
    expect(isHelperName(it.name)).toBe(it.ok);
    let ran = false;
    const run = async (): Promise<HelperOutcome> => {
      ran = true;
      return { kind: "exit", code: 0, stdout: "{}" };
    };
    await askHelper(it.name, "host", run).catch(() => undefined);
    expect(ran).toBe(it.ok);
  },
);

test.each(credentials.searchPaths.map((it) => [JSON.stringify(it.env), it] as const))(
  "places by %s",
  (_, it) => {
    const places = credentialPlaces(it.env, it.env["HOME"] ?? "", 1000).map((place) =>
      place.kind === "inline" ? `env:${place.name}` : place.name,
    );
    const expected = it.order.map((path) => path.replace("$UID", "1000"));
    // "..." stands for the rest.
    const open = expected.at(-1) === "...";
    expect(open ? places.slice(0, expected.length - 1) : places).toEqual(
      open ? expected.slice(0, -1) : expected,
    );
  },
);

test.each(credentials.ecrHosts.map((it) => [it.host, it] as const))("ECR: %s", (_, it) => {
  if (it.service === "ecr-public") {
    expect(parseEcrHost(it.host)).toBeUndefined();
    return;
  }
  const { account, region, fips } = it;
  expect(parseEcrHost(it.host) ?? { account: null, region: null, fips: null }).toMatchObject({
    account,
    region,
    fips,
  });
});

test.each(credentials.keyToHost.map((it) => [it.in, it] as const))("the host of the key %s", (_, it) => {
  expect(hostOfKey(it.in)).toBe(it.out);
});

test.each(credentials.namespaceKeys.map((it) => [it.in, it] as const))("the keys for %s", (_, it) => {
  const slash = it.in.indexOf("/");
  expect(namespaceKeys(it.in.slice(0, slash), it.in.slice(slash + 1))).toEqual(it.keys);
});

interface Scopes {
  readonly grammar: {
    parse: readonly {
      scope: string;
      type?: string;
      name?: string;
      actions?: readonly string[];
      opaque?: boolean;
      drop?: boolean;
    }[];
  };
  readonly merge: readonly { name: string; in: readonly string[]; out: readonly string[] }[];
  readonly orderingForRequest: {
    cases: readonly {
      name: string;
      want?: readonly string[];
      request: readonly string[];
      destination?: string;
      source?: string;
      reference?: string;
      sentTo?: string;
      getQuery?: string;
      postForm?: string;
    }[];
  };
}

const scopes = readCorpus<Scopes>("registry/scopes-and-tokens.json");

test.each(scopes.grammar.parse.map((it) => [it.scope, it] as const))("the scope %j", (_, it) => {
  const parsed = parseScope(it.scope);
  if (it.opaque === true) expect(parsed).toBeUndefined();
  else expect(parsed).toEqual({ type: it.type, name: it.name, actions: it.actions });
  expect(mergeScopes([it.scope])).toHaveLength(it.drop === true ? 0 : 1);
});

test.each(scopes.merge.map((it) => [it.name, it] as const))("merged scopes: %s", (_, it) => {
  expect(mergeScopes(it.in)).toEqual(it.out);
});

describe("the order of scopes in a request", () => {
  test.each(scopes.orderingForRequest.cases.map((it) => [it.name, it] as const))("%s", (_, it) => {
    const { want, destination, source, reference, sentTo } = it;
    if (destination !== undefined && source !== undefined) {
      const [to, from] = [parseReference(destination), parseReference(source)];
      const mounted = to.registry === from.registry ? [repositoryScope(from.repository, "pull")] : [];
      const wanted = [repositoryScope(to.repository, "pull", "push"), ...mounted];
      expect(requestScopes(wanted, [])).toEqual(it.request);
      return;
    }
    const pulled = reference ?? sentTo;
    const wanted =
      want ?? (pulled === undefined ? [] : [repositoryScope(parseReference(pulled).repository, "pull")]);
    expect(requestScopes(wanted, [])).toEqual(it.request);
    if (it.getQuery !== undefined) {
      const query = new URLSearchParams(
        requestScopes(wanted, []).map((scope): [string, string] => ["scope", scope]),
      );
      expect(query.toString()).toBe(it.getQuery);
    }
  });
});

test("what the server demands comes first, and what is no resource only if nothing else is asked", () => {
  expect(requestScopes(["repository:a:pull"], ["repository:b:pull"])).toEqual([
    "repository:b:pull",
    "repository:a:pull",
  ]);
  expect(requestScopes(["repository:a:pull"], ["aws"])).toEqual(["repository:a:pull"]);
  expect(requestScopes([], ["aws"])).toEqual(["aws"]);
});

test("Docker Hub's logins have one key, whatever it is called", () => {
  expect(["docker.io", "index.docker.io", "registry-1.docker.io", "ghcr.io"].map(credentialKey)).toEqual([
    "https://index.docker.io/v1/",
    "https://index.docker.io/v1/",
    "https://index.docker.io/v1/",
    "ghcr.io",
  ]);
});
