/** An ECR registry, by its host. */
export interface EcrHost {
  readonly account: string;
  readonly region: string;
  readonly fips: boolean;
  /** What ends the names of that part of AWS: `amazonaws.com`. */
  readonly suffix: string;
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

/** Where that part of AWS answers for ECR. The dual-stack suffixes have the API under the plain one. */
export function ecrApiHost(host: EcrHost): string {
  const suffix =
    host.suffix === "on.aws"
      ? "amazonaws.com"
      : host.suffix === "on.amazonwebservices.com.cn"
        ? "amazonaws.com.cn"
        : host.suffix;
  return `${host.fips ? "ecr-fips" : "api.ecr"}.${host.region}.${suffix}`;
}

/** `undefined` for a host that is not ECR's, however much it looks like it. */
export function parseEcrHost(host: string): EcrHost | undefined {
  const match = /^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(.+)$/.exec(host.toLowerCase());
  if (match === null) return undefined;
  const [, account = "", fips, region = "", suffix = ""] = match;
  return SUFFIXES.includes(suffix) ? { account, region, fips: fips !== undefined, suffix } : undefined;
}
