import { FormatError } from "../errors.ts";

/** What an image runs on (image-spec, image-index.md#image-index-property-descriptions). */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  readonly variant?: string;
}

/** What old names of architectures stand for; some say which variant it is, `""` that it has none. */
const ARCHITECTURES: ReadonlyMap<string, { readonly architecture: string; readonly variant?: string }> =
  new Map([
    ["x86_64", { architecture: "amd64" }],
    ["x86-64", { architecture: "amd64" }],
    ["aarch64", { architecture: "arm64" }],
    ["i386", { architecture: "386", variant: "" }],
    ["armhf", { architecture: "arm", variant: "v7" }],
    ["armel", { architecture: "arm", variant: "v6" }],
  ]);

/** Of an architecture and a variant, the variant's own name. */
const VARIANTS: ReadonlyMap<string, string> = new Map([
  ["arm/5", "v5"],
  ["arm/6", "v6"],
  ["arm/7", "v7"],
  ["arm/8", "v8"],
  ["arm64/8", "v8"],
  ["arm64/v8.0", "v8"],
  ["arm64/9", "v9"],
  ["arm64/9.0", "v9"],
  ["arm64/v9.0", "v9"],
]);

/** `linux/amd64` when nobody says otherwise, whatever the host is: same input, same digest. */
export const defaultPlatform: Platform = { architecture: "amd64", os: "linux" };

/**
 * Reads `os/architecture[/variant]`, normalised as containerd does.
 *
 * @throws {FormatError} `PLATFORM_INVALID`
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  const [os, architecture, variant, ...rest] = parts;
  if (
    parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)) ||
    os === undefined ||
    architecture === undefined ||
    rest.length > 0
  ) {
    throw new FormatError("PLATFORM_INVALID", `${JSON.stringify(text)} is not a platform.`, {
      hint: "Write os/architecture or os/architecture/variant, for example linux/arm64.",
    });
  }
  return normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

/** `os/architecture[/variant]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined || variant === ""
    ? `${os}/${architecture}`
    : `${os}/${architecture}/${variant}`;
}

/** amd64/v1 is amd64, arm64/v8 is arm64, arm is arm/v7, and the uname spellings are Go's. */
export function normalizePlatform(platform: Platform): Platform {
  const { variant: given, ...rest } = platform;
  const { architecture, variant: implied = given } = ARCHITECTURES.get(platform.architecture) ?? platform;
  let variant = implied === undefined || implied === "" ? undefined : implied;
  if (variant !== undefined) variant = VARIANTS.get(`${architecture}/${variant}`) ?? variant;
  if (architecture === "arm" && variant === undefined) variant = "v7";
  if (architecture === "arm64" && variant === "v8") variant = undefined;
  if (architecture === "amd64" && variant === "v1") variant = undefined;
  return { ...rest, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** Whether an image for `offered` is what `wanted` asks for. */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  const [a, b] = [normalizePlatform(wanted), normalizePlatform(offered)];
  return a.os === b.os && a.architecture === b.architecture && a.variant === b.variant;
}
