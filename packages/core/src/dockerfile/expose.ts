import { WordError } from "./error.ts";
import { goQuote } from "./quote.ts";

/** A word of EXPOSE. */
export interface ExposedPorts {
  /** `port/protocol`, one for each port of a range. */
  readonly ports: readonly string[];
  /** An address or a host's port was given, which mean nothing in an image. */
  readonly mapping: boolean;
}

const LARGEST = 65535;

const HINT = "Name a port or a range of ports, and tcp, udp or sctp: EXPOSE 8082, EXPOSE 8000-8005/udp.";

/**
 * Reads `port`, `first-last`, `…/protocol`, and the `address:host:container` that docker run takes.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, with BuildKit's message
 */
export function parseExpose(word: string): ExposedPorts {
  const refused = (message: string): WordError => new WordError(message, HINT, word);
  const slash = word.indexOf("/");
  const address = slash < 0 ? word : word.slice(0, slash);
  const written = slash < 0 ? "" : word.slice(slash + 1);
  const protocol = written.toLowerCase() || "tcp";
  const parts = address.split(":");
  const container = parts.at(-1) ?? "";
  const host = parts.at(-2) ?? "";
  const ip = parts.slice(0, -2).join(":");
  if (container === "") throw refused(`invalid port: ${goQuote(word)}: no port specified`);
  if (!["tcp", "udp", "sctp"].includes(protocol)) {
    throw refused(`invalid port: ${goQuote(word)}: invalid proto: ${written}`);
  }
  if (ip !== "" && !isAddress(ip)) throw refused(`invalid IP address: ${ip}`);
  const range = portRange(container);
  if (range === undefined) throw refused(`invalid containerPort: ${container}`);
  const hostRange = host === "" ? undefined : portRange(host);
  if (host !== "" && hostRange === undefined) throw refused(`invalid hostPort: ${host}`);
  const [first, last] = range;
  if (hostRange !== undefined && last - first !== hostRange[1] - hostRange[0] && first !== last) {
    throw refused(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  }
  const ports = Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
  return { ports, mapping: parts.length > 1 };
}

function portRange(text: string): readonly [number, number] | undefined {
  const [, first = "", last = first] = /^(\+?\d+)(?:-(\+?\d+))?$/.exec(text) ?? [];
  if (first === "") return undefined;
  const range = [Number(first), Number(last)] as const;
  return range[0] <= range[1] && range[1] <= LARGEST ? range : undefined;
}

function isAddress(text: string): boolean {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(bare)) return bare.split(".").every((part) => Number(part) <= 255);
  return /^[0-9a-f:.]+$/i.test(bare) && bare.includes(":") && URL.canParse(`http://[${bare}]`);
}
