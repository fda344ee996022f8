import type { Dockerfile } from "../dockerfile/ast.ts";
import type { GlobalArgs } from "./global-args.ts";
import type { PlanOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";

const NAME = "SOURCE_DATE_EPOCH";

/** The instant that all times of the result are set to, in seconds. */
export function readEpoch(
  dockerfile: Dockerfile,
  options: PlanOptions,
  globals: GlobalArgs,
  report: Reporter,
): number | undefined {
  if (options.sourceDateEpoch !== undefined) return options.sourceDateEpoch;
  const declaration = dockerfile.globalArgs.find(({ args }) => args.some(({ key }) => key === NAME));
  const given = new Map(Object.entries(options.buildArgs ?? {})).get(NAME);
  const text = given ?? (declaration === undefined ? undefined : globals.values.get(NAME));
  if (text === undefined || text === "") return undefined;
  const place = given === undefined ? declaration?.at : undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  const named =
    dockerfile.stages.some(({ name }) => name === text.toLowerCase()) ||
    options.namedContexts?.includes(text) === true;
  report.fault(
    named ? "DOCKERFILE_UNSUPPORTED" : "DOCKERFILE_INVALID",
    named ? `${NAME} from a stage or a context is not supported: ${text}` : `invalid ${NAME}: ${text}`,
    place,
    "Give it in seconds since 1970.",
  );
  return undefined;
}
