import { z } from "zod";
import { isLoopback } from "./address.ts";
import { invalidHostConfig, parseToml } from "./toml.ts";

/** What a host may be asked for. */
export type MirrorCapability = "pull" | "resolve" | "push" | "referrers";

/** One host of containerd's hosts.toml. Paths are as they stand there. */
export interface HostEntry {
  /** Of the API: with its `/v2`. */
  readonly url: string;
  readonly capabilities: readonly MirrorCapability[];
  readonly ca?: readonly string[];
  /** Certificate and key; the key may lie in the same file. */
  readonly client?: readonly (readonly [cert: string, key?: string])[];
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly skipVerify?: boolean;
  readonly dialTimeoutMs?: number;
}

// Node's timers take no more.
const MAX_TIMER_MS = 2 ** 31 - 1;

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const pair = z.union([z.tuple([z.string()]), z.tuple([z.string(), z.string()])]);
const entry = z.object({
  capabilities: z.array(z.enum(["pull", "resolve", "push", "referrers"])).optional(),
  ca: oneOrMore.optional(),
  client: z
    .union([
      z.string().transform((path): [string][] => [[path]]),
      z.array(z.union([z.string().transform((path): [string] => [path]), pair])),
    ])
    .optional(),
  header: z.record(z.string(), oneOrMore).optional(),
  skip_verify: z.boolean().optional(),
  override_path: z.boolean().optional(),
  dial_timeout: z.string().transform(parseDuration).pipe(z.number().positive().max(MAX_TIMER_MS)).optional(),
});
const schema = entry.extend({
  server: z.string().optional(),
  host: z.record(z.string(), entry).optional(),
});

/**
 * Reads containerd's `hosts.toml`: the hosts in the order to ask them, the registry itself last if the file names it.
 *
 * @throws {RegistryError} `HOST_CONFIG_INVALID`
 */
export function parseHostsToml(text: string, name: string): readonly HostEntry[] {
  const parsed = schema.safeParse(parseToml(text, name));
  if (!parsed.success) {
    throw invalidHostConfig(name, `does not have the form of a hosts.toml (${pathsOf(parsed.error)})`);
  }
  const { server, host = {}, ...own } = parsed.data;
  const hosts = Object.entries(host).map(([url, it]) => entryOf(url, it, name));
  return server === undefined || server === "" ? hosts : [...hosts, entryOf(server, own, name)];
}

const unitMs: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** Go's form of a duration, `1m30s`, in milliseconds; `NaN` for what is none. */
function parseDuration(text: string): number {
  if (!/^(?:\d{1,12}(?:\.\d{1,12})?(?:ns|us|µs|ms|s|m|h)){1,10}$/.test(text)) return Number.NaN;
  let sum = 0;
  for (const [, count, unit = ""] of text.matchAll(/([\d.]+)(\D+)/g)) {
    sum += Number(count) * (unitMs.get(unit) ?? Number.NaN);
  }
  return sum;
}

function pathsOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path }) => path.join("."))
    .join(", ");
}

/** What a host may be asked for where nothing is said of it. */
export const everyCapability: readonly MirrorCapability[] = ["pull", "resolve", "push", "referrers"];

function entryOf(server: string, it: z.infer<typeof entry>, name: string): HostEntry {
  const { capabilities = [], ca, client, header, skip_verify: skipVerify, dial_timeout: dialTimeoutMs } = it;
  return {
    url: apiUrl(server, it.override_path === true, name),
    capabilities: capabilities.length === 0 ? everyCapability : capabilities,
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined ? {} : { client }),
    ...(header === undefined ? {} : { headers: header }),
    ...(skipVerify === true ? { skipVerify } : {}),
    ...(dialTimeoutMs === undefined ? {} : { dialTimeoutMs }),
  };
}

/** Without a scheme it is https, and http for this machine. The path ends with `/v2` unless it is to stay as it is. */
function apiUrl(server: string, asItIs: boolean, name: string): string {
  const scheme = /^https?:\/\//i.test(server) ? "" : isLoopback(server) ? "http://" : "https://";
  const text = `${scheme}${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw invalidHostConfig(name, "names a server that is no URL");
  }
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}${asItIs || path.endsWith("/v2") ? path : `${path}/v2`}`;
}
