import { storedHeaders } from "../auth/http-headers.ts";
import { repositoryScope } from "../auth/scope.ts";
import type { MirrorState, RegistryLine, RepositoryContext, RepositoryName } from "./context.ts";
import type { ConfiguredOptions } from "./client-certificate.ts";
import { openLine, type Shared } from "./line.ts";
import { mirrorMap, type Mirror, type MirrorSources } from "./mirrors.ts";
import { RegistryError } from "./registry-error.ts";
import type { RepositoryPlaces } from "./repository.ts";
import { keptRequests } from "./shared-requests.ts";

// A mirror that does not answer is left alone for a while: each layer would wait for it anew.
const DOWN_MS = 60_000;

/** Where things are: registries, and the mirrors of those. One line leads to each. */
export interface Places {
  of(name: RepositoryName): RepositoryPlaces;
  line(registry: string, signal: AbortSignal | undefined): Promise<RegistryLine>;
}

export function repositoryPlaces(
  shared: Shared,
  options: MirrorSources & { readonly credentials?: unknown },
): Places {
  const map = mirrorMap(options);
  const lines = keptRequests<RegistryLine>();
  const down = new Map<string, number>();
  let headers: Promise<Readonly<Record<string, string>>> | undefined;

  const line: Places["line"] = (registry, signal) =>
    lines(registry, signal, async (stop) => {
      // Docker's own configuration is read where its logins are.
      headers ??= options.credentials === undefined ? storedHeaders() : Promise.resolve({});
      const configured = await map.hostOptions(registry);
      const host = merged({ headers: await headers }, configured, shared.hostOptions(registry));
      return await openLine({ registry, host }, shared, stop);
    });

  const mirrorLine = (
    { registry, url, options: own }: Mirror,
    signal: AbortSignal | undefined,
  ): Promise<RegistryLine> =>
    lines(JSON.stringify([registry, url, own]), signal, async (stop) => {
      const host = merged(shared.hostOptions(registry), own);
      // It has others beside it: one more try, and on.
      const retry = { ...shared.retry, retries: Math.min(1, shared.retry.retries ?? 1) };
      const known = url === undefined ? {} : { origin: new URL(url).origin };
      return await openLine({ registry, host, ...known }, { ...shared, retry }, stop);
    });

  const stateOf = (url: string, of: string): MirrorState => ({
    of,
    isDown: () => (down.get(url) ?? 0) > shared.now(),
    down: () => void down.set(url, shared.now() + DOWN_MS),
  });

  const of = (name: RepositoryName): RepositoryPlaces => {
    const open: RepositoryPlaces["open"] = async (access, { signal }) => {
      // What is blocked is not written to either.
      const { upstream } = await map.plan(name);
      if (access === "write" && !upstream.includes("push")) throw readOnly(name);
      const opened = await line(name.registry, signal);
      return contextOf(name, opened, `${opened.origin}/v2`);
    };
    return {
      open,
      async readers(capability, options) {
        const plan = await map.plan(name);
        const able = plan.mirrors.filter(({ capabilities }) => capabilities.includes(capability));
        const mirrors = await Promise.all(
          able.map(async (mirror) => {
            const opened = await mirrorLine(mirror, options.signal);
            const { url = `${opened.origin}/v2` } = mirror;
            return { ...contextOf(mirror, opened, url), mirror: stateOf(url, name.registry) };
          }),
        );
        return plan.upstream.includes(capability) ? [...mirrors, await open("read", options)] : mirrors;
      },
    };
  };
  return { of, line };
}

function readOnly({ registry }: RepositoryName): RegistryError {
  return new RegistryError("DENIED", `${registry} is not to be written to, by its hosts.toml.`, {
    hint: "Add `push` to the server's capabilities, or do not name the directory.",
  });
}

function contextOf(name: RepositoryName, line: RegistryLine, api: string): RepositoryContext {
  const { registry, repository } = name;
  return {
    registry,
    repository,
    line,
    base: `${api}/${repository}`,
    pull: [repositoryScope(repository, "pull")],
    push: [repositoryScope(repository, "pull", "push")],
  };
}

/** The later ones win; headers and authorities add up. */
function merged(...parts: readonly ConfiguredOptions[]): ConfiguredOptions {
  const headers = Object.assign({}, ...parts.map((part) => part.headers ?? {}));
  const ca = parts.flatMap((part) => (part.ca === undefined ? [] : [part.ca].flat()));
  return { ...Object.assign({}, ...parts), ...(ca.length === 0 ? {} : { ca }), headers };
}
