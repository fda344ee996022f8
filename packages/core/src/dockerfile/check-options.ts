import type { Location } from "@undocked/registry";
import { WordError } from "./error.ts";
import { goQuote } from "./quote.ts";

/** What `# check=…` asks of the build checks. */
export interface CheckOptions {
  /** Names of rules, or `all`. */
  readonly skip: readonly string[] | "all";
  /** Rules that are off unless named here. */
  readonly experimental: readonly string[] | "all";
  /** Whether a warning refuses the build. */
  readonly error: boolean;
  /** Absent when the options did not come from a text. */
  readonly at?: Location;
}

/**
 * Reads `skip=Rule,Rule;error=true;experimental=all`; what follows a blank is a comment.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, for an option that there is not
 */
export function parseCheckOptions(text: string): CheckOptions {
  let skip: CheckOptions["skip"] = [];
  let experimental: CheckOptions["experimental"] = [];
  let error = false;
  const [value = ""] = text.trimStart().split(" ");
  for (const option of value.split(";")) {
    if (option === "") continue;
    const equals = option.indexOf("=");
    const name = (equals < 0 ? option : option.slice(0, equals)).trim();
    const setting = equals < 0 ? undefined : option.slice(equals + 1).trim();
    if (setting === undefined || !["skip", "error", "experimental"].includes(name)) {
      throw new WordError(`failed to parse check options: invalid check option ${goQuote(name)}`);
    }
    if (name === "skip") skip = rules(setting);
    else if (name === "experimental") experimental = rules(setting);
    else error = parseBoolean(setting, option);
  }
  return { skip, experimental, error };
}

function rules(setting: string): readonly string[] | "all" {
  const names = setting.split(",").map((name) => name.trim());
  return names.includes("all") ? "all" : names;
}

/** Go's strconv.ParseBool. */
function parseBoolean(setting: string, option: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(setting)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(setting)) return false;
  throw new WordError(
    `failed to parse check options: failed to parse check option ${goQuote(option)}: strconv.ParseBool: parsing ${goQuote(setting)}: invalid syntax`,
  );
}
