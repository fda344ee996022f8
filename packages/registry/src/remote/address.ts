import { BlockList, isIPv4, isIPv6 } from "node:net";

/** What no public server has a reason to send us to: this machine, its networks, multicast (IANA's special registries). */
const specialRanges: readonly (readonly [address: string, prefix: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
  ["::", 127],
  ["64:ff9b:1::", 48],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
];

/** IPv6 ranges that hold an IPv4 address, and the index of the 16 bits it begins with: mapped, NAT64, 6to4. */
const embeddings: readonly (readonly [prefix: string, group: number])[] = [
  ["0:0:0:0:0:ffff:", 6],
  ["0:0:0:0:0:0:", 6],
  ["64:ff9b:0:0:0:0:", 6],
  ["2002:", 1],
];

let special: BlockList | undefined;

/** Whether an IP address is of this machine or of a network that is not the public one. */
export function isPrivateAddress(address: string): boolean {
  if (special === undefined) {
    special = new BlockList();
    for (const [range, prefix] of specialRanges) {
      special.addSubnet(range, prefix, isIPv4(range) ? "ipv4" : "ipv6");
    }
  }
  if (isIPv4(address)) return special.check(address, "ipv4");
  if (!isIPv6(address)) return false;
  if (special.check(address, "ipv6")) return true;
  const embedded = embeddedIPv4(address);
  return embedded !== undefined && special.check(embedded, "ipv4");
}

function embeddedIPv4(address: string): string | undefined {
  const groups = groupsOf(address);
  const text = `${groups.map((group) => group.toString(16)).join(":")}:`;
  const found = embeddings.find(([prefix]) => text.startsWith(prefix));
  if (found === undefined) return undefined;
  const [high = 0, low = 0] = groups.slice(found[1]);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const dotted = address
    .replace(/%.*$/, "")
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
      const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
      return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    });
  const [head = "", tail] = dotted.split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
}

/** Whether a URL's host is a private address by how it is written; what a name resolves to is another question. */
export function isPrivateHost(url: URL): boolean {
  const host = url.hostname.replace(/\.$/, "");
  if (isLocalName(host)) return true;
  return isPrivateAddress(host.startsWith("[") ? host.slice(1, -1) : host);
}

/**
 * Whether a server is in a network that is not the public one: by how its URL is written, or by the address that answered. What
 * its name resolves to proves nothing, because the name's owner may tell one thing now and another then (DNS rebinding); so where
 * nobody saw an address, behind a proxy that is, a name is a public one.
 */
export function isPrivateServer(url: URL, address: string | undefined): boolean {
  return isPrivateHost(url) || (address !== undefined && isPrivateAddress(address));
}

/** Whether a registry `host[:port]` is this machine, so that plain http does not leave it (RFC 6761: `*.localhost` too). */
export function isLoopback(registry: string): boolean {
  const host = /^(\[[^\]]*\]|[^:[\]]*)(?::\d+)?$/.exec(registry)?.[1];
  if (host === undefined) return false;
  if (isLocalName(host.toLowerCase()) || host === "[::1]") return true;
  return isIPv4(host) && host.startsWith("127.");
}

function isLocalName(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}
