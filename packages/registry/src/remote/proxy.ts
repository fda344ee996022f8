import { BlockList, isIP, isIPv4 } from "node:net";
import { isLoopback } from "./address.ts";
import { RegistryError } from "./registry-error.ts";

/** As `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy to reach a URL by: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` as Go's clients read them, lower case first. This
 * machine is never reached by a proxy.
 *
 * @returns the proxy's URL; `undefined`: there is none for it
 * @throws {RegistryError} `REGISTRY_UNREACHABLE` where the variable has no http or https URL
 */
export function proxyFor(url: string, environment: Environment): URL | undefined {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === "https:";
  const set = variable(environment, secure ? "https_proxy" : "http_proxy");
  if (set === undefined) return undefined;
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (isLoopback(hostname)) return undefined;
  const exceptions = (variable(environment, "no_proxy")?.value ?? "").split(",");
  const portNumber = port === "" ? (secure ? "443" : "80") : port;
  if (exceptions.some((rule) => isException(rule.trim().toLowerCase(), host, portNumber))) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(set.value) ? set.value : `http://${set.value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy?.protocol === "http:" || proxy?.protocol === "https:") return proxy;
  // Its value may hold a login.
  throw new RegistryError(
    "REGISTRY_UNREACHABLE",
    proxy === undefined
      ? `${set.name} is no URL.`
      : `${set.name} names a proxy that speaks ${proxy.protocol.slice(0, -1)}; only http and https are spoken.`,
    { hint: `Set ${set.name} to http://host:port, unset it, or add ${hostname} to NO_PROXY.` },
  );
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

function variable(environment: Environment, lowerCase: string): Variable | undefined {
  const name = environment[lowerCase] === undefined ? lowerCase.toUpperCase() : lowerCase;
  const value = environment[name] ?? "";
  return value === "" ? undefined : { name, value };
}

function isException(rule: string, host: string, port: string): boolean {
  if (rule === "") return false;
  if (rule === "*") return true;
  if (rule.includes("/")) return isInNetwork(rule, host);
  const withPort = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(rule);
  if (withPort?.[2] !== undefined && withPort[2] !== port) return false;
  const name = (withPort?.[1] ?? rule).replace(/^\[|\]$/g, "").replace(/^\*\./, ".");
  if (isIP(name) !== 0) return name === host;
  // A leading dot means the names below it, and not itself.
  return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isInNetwork(rule: string, host: string): boolean {
  const [network = "", bits = ""] = rule.split("/", 2);
  const family = isIP(network);
  const limit = family === 4 ? 32 : 128;
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > limit) return false;
  const type = isIPv4(network) ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, Number(bits), type);
  return list.check(host, type);
}
