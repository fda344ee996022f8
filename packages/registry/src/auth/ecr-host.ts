/** An ECR registry, by its host. */
export interface EcrHost {
  readonly account: string;
  readonly region: string;
  readonly fips: boolean;
}

const SUFFIXES = [
  "amazonaws.com",
  "amazonaws.com.cn",
  "amazonaws.eu",
  "on.aws",
  "on.amazonwebservices.com.cn",
  "c2s.ic.gov",
  "sc2s.sgov.gov",
  "cloud.adc-e.uk",
  "csp.hci.ic.gov",
];

/** `undefined` for a host that is not ECR's, however much it looks like it. */
export function parseEcrHost(host: string): EcrHost | undefined {
  const match = /^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(.+)$/.exec(host.toLowerCase());
  if (match === null) return undefined;
  const [, account = "", fips, region = "", suffix = ""] = match;
  return SUFFIXES.includes(suffix) ? { account, region, fips: fips !== undefined } : undefined;
}
