import {
  registryClient,
  type RegistryClient,
  type RegistryClientOptions,
  type RegistryEvent,
  type RemoteRepository,
} from "@undocked/registry";
import { jsonReply, startFront, type Front, type FrontRequest, type Outcome } from "../../support/front.ts";
import { basicLogin, credentialWatch, type CredentialWatch } from "./credential-watch.ts";
import { authority, login, service, type Backend, type Setup } from "./setups.ts";

/** A registry as a scenario has it: behind a front, with clients that are closed for it. */
export interface Site extends AsyncDisposable {
  readonly setup: Setup;
  /** Before the registry. */
  readonly front: Front;
  /** Before the token service, `/token`. A plain registry has one too, which it asks for once {@link guard} says so. */
  readonly tokens: Front;
  readonly host: string;
  /** What every client here gets: whom to trust and who it is, and not to wait long before it tries again. */
  readonly options: RegistryClientOptions;
  readonly events: RegistryEvent[];
  readonly watch: CredentialWatch;
  client(options?: RegistryClientOptions): RegistryClient;
  /** @param path - default: one that no other test has */
  repository(path?: string, client?: RegistryClient): RemoteRepository;
  /** A path that no other test has. */
  path(): string;
  /** Asks every client for this, whatever the registry behind does. */
  guard(scheme: "basic" | "bearer"): void;
  /** Another origin, spoken to as this one is. Asked for a `/v2/` path, it has what the registry has. */
  elsewhere(): Promise<Front>;
  /** After each test. @returns where a credential was seen that does not belong there */
  reset(): Promise<readonly string[]>;
}

export async function openSite(setup: Setup): Promise<Site> {
  const { secure } = setup;
  const tls = (): { readonly tls?: ReturnType<typeof authority.issue> } =>
    secure ? { tls: authority.issue("127.0.0.1", "registry.test", "tokens.test") } : {};
  const watch = credentialWatch();
  const events: RegistryEvent[] = [];
  const strangers: Front[] = [];
  const clients: RegistryClient[] = [];
  let backend: Backend | undefined;
  let guarded: "basic" | "bearer" | undefined;
  let paths = 0;

  const authorization = async (request: FrontRequest): Promise<string | undefined> => {
    // Whoever the front lets in by another way than the registry's own is known to the registry as the one who may.
    if (guarded !== "basic" || !secure) return request.authorization;
    return `Bearer ${await ownToken(backend?.tokens ?? "", request)}`;
  };
  const tokens = await startFront({
    upstream: () => backend?.tokens ?? "",
    ...tls(),
    onRequest: (request) => watch.see(request, tokens.url, "passwords"),
    onReply: (_, reply) => watch.issueTokensOf(reply, front.url),
  });
  const front = await startFront({
    upstream: () => backend?.registry ?? "",
    authorization,
    ...tls(),
    onRequest: (request) => watch.see(request, front.url, "no passwords"),
  });
  const realm = `${tokens.url}/token`;
  backend = await setup.open(realm);
  const options: RegistryClientOptions = {
    credentials: secure ? { [front.host]: login } : "anonymous",
    retry: { baseMs: 1 },
    onEvent: (event) => void events.push(event),
    // Without the question whether this machine's port speaks TLS: scenarios count what is asked.
    ...(secure ? { ca: authority.cert, hosts: { [front.host]: { plainHttp: false } } } : {}),
  };
  const client = (more: RegistryClientOptions = {}): RegistryClient => {
    const made = registryClient({ ...options, ...more });
    clients.push(made);
    return made;
  };
  const begin = (): void => {
    watch.clear();
    watch.issue(basicLogin, tokens.url);
    guarded = undefined;
  };
  const path = (): string => `test/n${(paths += 1)}`;
  let shared: RegistryClient | undefined;
  begin();

  return {
    setup,
    front,
    tokens,
    host: front.host,
    options,
    events,
    watch,
    client,
    path,
    repository: (name = path(), by = (shared ??= client())) => by.repository(`${front.host}/${name}`),
    guard(scheme) {
      guarded = scheme;
      if (scheme === "basic") watch.issue(basicLogin, front.url);
      else if (secure) return;
      front.on((request) => {
        const isIn =
          scheme === "basic" ? request.authorization === basicLogin : mayDo(request, watch, front.url);
        return isIn ? undefined : challenge(scheme, realm, request);
      });
    },
    async elsewhere() {
      const stranger = await startFront({
        upstream: () => backend?.registry ?? "",
        authorization: async (request) =>
          secure ? `Bearer ${await ownToken(backend?.tokens ?? "", request)}` : undefined,
        ...tls(),
        onRequest: (request) => watch.see(request, stranger.url, "no passwords"),
      });
      strangers.push(stranger);
      return stranger;
    },
    async reset() {
      for (const made of clients.splice(0)) await made[Symbol.asyncDispose]();
      shared = undefined;
      const leaks = [...watch.leaks];
      for (const stranger of strangers.splice(0)) await stranger[Symbol.asyncDispose]();
      front.clear();
      tokens.clear();
      events.length = 0;
      begin();
      return leaks;
    },
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
      await backend?.[Symbol.asyncDispose]();
    },
  };
}

/** What a token of the token service lets its bearer do. */
function mayDo(request: FrontRequest, watch: CredentialWatch, origin: string): boolean {
  const { authorization } = request;
  if (authorization === undefined || !watch.isIssued(authorization, origin)) return false;
  const claims = Buffer.from(authorization.split(".")[1] ?? "", "base64url").toString();
  const { access } = JSON.parse(claims) as { access: { name: string; actions: string[] }[] };
  return neededScopes(request).every(({ name, actions }) =>
    actions.every((action) => access.some((it) => it.name === name && it.actions.includes(action))),
  );
}

interface Needed {
  readonly name: string;
  readonly actions: readonly string[];
}

export function neededScopes({ method, path, query }: FrontRequest): readonly Needed[] {
  const name = /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(path)?.[1];
  if (name === undefined) return [];
  const reads = method === "GET" || method === "HEAD";
  const actions = reads
    ? ["pull"]
    : method === "DELETE" && !/\/uploads\//.test(path)
      ? ["delete"]
      : ["pull", "push"];
  const from = query.get("from");
  return [{ name, actions }, ...(from === null ? [] : [{ name: from, actions: ["pull"] }])];
}

export function scopesOf(request: FrontRequest): readonly string[] {
  return neededScopes(request).map(({ name, actions }) => `repository:${name}:${actions.join(",")}`);
}

function challenge(scheme: "basic" | "bearer", realm: string, request: FrontRequest): Outcome {
  const scope = scopesOf(request).join(" ");
  const header =
    scheme === "basic"
      ? 'Basic realm="checklist"'
      : `Bearer realm="${realm}",service="${service}"${scope === "" ? "" : `,scope="${scope}"`}`;
  return jsonReply(401, { errors: [{ code: "UNAUTHORIZED" }] }, { "www-authenticate": header });
}

/** A token for all that a request may need, from the service itself. */
async function ownToken(tokens: string, request: FrontRequest): Promise<string> {
  const query = new URLSearchParams({ service });
  for (const { name } of neededScopes(request)) query.append("scope", `repository:${name}:pull,push,delete`);
  const answer = await fetch(`${tokens}/token?${query.toString()}`, {
    headers: { authorization: basicLogin },
  });
  return ((await answer.json()) as { token: string }).token;
}
