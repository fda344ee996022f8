import { resolve } from "node:path";
import {
  buildImage,
  type BuildOptions,
  type BuiltImage,
  type FileMapping,
  type Output,
} from "@undocked/core";
import { parseAnnotations } from "../annotation.ts";
import { keyValue, parseArguments, UsageError, type Arguments, type Usage } from "../args.ts";
import type { Command, Io } from "../io.ts";
import { checkMetadata, writeMetadata } from "../metadata.ts";
import { parseCompression } from "../compression.ts";
import { isStandardOutput, parseOutput } from "../output.ts";
import { FormatError, parsePlatform, parseReference } from "@undocked/registry";
import { sizeOf } from "../quantity.ts";
import { registryFlags, registryOptions } from "../registry-flags.ts";
import { readStandardInput } from "../standard-input.ts";
import { renderDiagnostic } from "../render/error.ts";
import { progressDisplay, progressModes, silentDisplay } from "../render/progress.ts";

export const usage: Usage = {
  synopsis: "build [CONTEXT] [OPTIONS]",
  summary: "Builds an image and prints REFERENCE@DIGEST for each tag, or the digest alone.",
  flags: {
    file: {
      short: "f",
      value: "PATH",
      help: "The Dockerfile, - for standard input (default: CONTEXT/Dockerfile)",
    },
    tag: { short: "t", value: "REFERENCE", repeatable: true, help: "A reference that the image gets" },
    map: { value: "FROM:TO", repeatable: true, help: "Put a file or directory into the build context" },
    entrypoint: { value: "TEXT", help: "Bake the environment variable ENTRYPOINT" },
    "override-entrypoint": { value: "COMMAND", help: "Replace the image's entrypoint" },
    "build-arg": { value: "NAME=VALUE", repeatable: true, help: "Set an ARG" },
    "build-context": {
      value: "NAME=VALUE",
      repeatable: true,
      help: "A named context: a directory, docker-image://REFERENCE, oci-layout:///directory[:tag]",
    },
    label: { value: "NAME=VALUE", repeatable: true, help: "Add a label" },
    platform: {
      value: "OS/ARCH[/VARIANT],…",
      repeatable: true,
      help: "Several make an index (default: linux/amd64)",
    },
    annotation: {
      value: "[index:]NAME=VALUE",
      repeatable: true,
      help: "Annotate the manifest of each platform, or their index",
    },
    target: { value: "STAGE", help: "Build up to this stage" },
    executables: {
      value: "static|self-contained|any",
      help: "What added executables must be (default: static)",
    },
    preflight: {
      value: "error|warn|off",
      help: "What becomes of faults that stop the image's start (default: error)",
    },
    timestamps: { value: "epoch|preserve", help: "File times in new layers (default: epoch)" },
    push: { help: "Send the image to the registry of each tag" },
    output: {
      short: "o",
      value: "type=TYPE,dest=PATH",
      repeatable: true,
      help: "oci, docker, oci-layout, registry; a PATH of - is standard output",
    },
    "metadata-file": { value: "PATH", help: "Write the result as JSON, with the keys of docker buildx" },
    iidfile: { value: "PATH", help: "Write the image's ID" },
    check: { help: "Look at the Dockerfile alone; exit code 1 if there is something to tell" },
    plan: {
      value: "text|json",
      isOptional: true,
      help: "Tell what would be done, without a look at any layer",
    },
    progress: { value: "auto|tty|plain|json", help: "How to show progress (default: auto)" },
    quiet: { short: "q", help: "Print the result alone" },
    "cache-dir": { value: "PATH", help: "Where layers and file lists are kept" },
    "cache-max-size": { value: "SIZE", help: "What may stay in it, as 500MB (default: 10GB)" },
    offline: { help: "Fetch nothing: what the cache does not have is told" },
    "no-cache": { help: "Keep nothing for the next build" },
    verify: { value: "stat|content", help: "What the cache trusts of a file (default: stat)" },
    compression: { value: "gzip|zstd|none[:LEVEL]", help: "Of new layers (default: gzip:4)" },
    ...registryFlags,
  },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv.map(withPlanForm));
  const plan = choice(flags, "plan", ["text", "json"] as const);
  const display = flags.is("quiet")
    ? silentDisplay()
    : progressDisplay(choice(flags, "progress", progressModes) ?? "auto", io);
  const options = await buildOptions(flags, io, display.note);
  if (flags.is("check")) {
    const { showChecks } = await import("../preview.ts");
    return showChecks(options, io);
  }
  if (plan !== undefined) {
    const { showPlans } = await import("../preview.ts");
    return await showPlans({ ...options, signal }, plan, io);
  }
  const files = {
    ...optional("metadataFile", path(flags, io, "metadata-file")),
    ...optional("iidFile", path(flags, io, "iidfile")),
  };
  await checkMetadata(files);
  if (takesStandardOutput(options) && io.stdout.isTTY === true)
    throw new UsageError("Standard output is a terminal: lead the archive into a file or a program.");
  await using image = await buildImage({ ...options, signal, onEvent: display.onEvent }).finally(() =>
    display.finish(),
  );
  if (flags.is("quiet")) for (const warning of image.warnings) io.stderr.write(renderDiagnostic(warning));
  (takesStandardOutput(options) ? io.stderr : io.stdout).write(result(image, options));
  await writeMetadata(image, files, signal);
  return 0;
};

/** `--plan` alone is text: a flag of node:util has a value always or never. */
function withPlanForm(argument: string): string {
  return argument === "--plan" ? "--plan=text" : argument;
}

function takesStandardOutput({ outputs = [] }: BuildOptions): boolean {
  return outputs.some((output) => isStandardOutput(output.path));
}

function result(image: BuiltImage, options: BuildOptions): string {
  const tags = options.tags ?? [];
  const names = tags.length === 0 ? [image.digest] : tags.map((tag) => `${tag}@${image.digest}`);
  return names.map((name) => `${name}\n`).join("");
}

async function buildOptions(flags: Arguments, io: Io, tell: (line: string) => void): Promise<BuildOptions> {
  const [context, ...more] = flags.positionals;
  if (more.length > 0) throw new UsageError(`build takes one context, not ${flags.positionals.length}.`);
  if (context === "")
    throw new UsageError('The context is "": name a directory, as . for the working directory.');
  if (context === "-")
    throw new UsageError(
      "A context is not read from standard input: unpack it into a directory. -f - reads a Dockerfile there.",
    );
  const outputs = flags.texts("output").map(parseOutput);
  const files = flags.texts("map").map(parseMapping);
  const override = flags.text("override-entrypoint");
  const platforms = flags.texts("platform").flatMap((text) => text.split(","));
  const tags = flags.texts("tag");
  const push = flags.is("push") || outputs.some((output) => output === "push");
  if (push && tags.length === 0) throw new UsageError("--push needs a --tag to push to.");
  if (push && flags.is("offline")) throw new UsageError("--offline and --push exclude each other.");
  for (const tag of tags) asTyped("tag", () => parseReference(tag));
  for (const platform of platforms) asTyped("platform", () => parsePlatform(platform));
  return {
    project: resolve(io.cwd, context ?? "."),
    ...(context === undefined && files.length > 0 ? {} : { context: resolve(io.cwd, context ?? ".") }),
    ...optional("dockerfile", await dockerfile(flags, io)),
    ...(files.length === 0 ? {} : { files }),
    ...optional("entrypoint", override === undefined ? flags.text("entrypoint") : { override }),
    buildArgs: Object.fromEntries(
      ["SOURCE_DATE_EPOCH", ...flags.texts("build-arg")].flatMap((text) => buildArgument(text, io)),
    ),
    namedContexts: Object.fromEntries(flags.texts("build-context").map((text) => namedContext(text, io))),
    labels: Object.fromEntries(flags.texts("label").map((text) => keyValue("label", text))),
    ...(platforms.length === 0 ? {} : { platforms }),
    ...optional("annotations", parseAnnotations(flags.texts("annotation"))),
    // None is what docker takes the empty text for.
    ...optional("target", flags.text("target") || undefined),
    ...optional("executables", choice(flags, "executables", ["static", "self-contained", "any"] as const)),
    ...optional("preflight", choice(flags, "preflight", ["error", "warn", "off"] as const)),
    ...optional("timestamps", choice(flags, "timestamps", ["epoch", "preserve"] as const)),
    tags,
    push,
    outputs: outputs
      .filter((output): output is Output => output !== "push")
      .map((output) => ({ ...output, path: resolve(io.cwd, output.path) })),
    ...optional("cache", flags.is("no-cache") ? false : path(flags, io, "cache-dir")),
    ...optional("cacheMaxSize", sizeOf(flags, "cache-max-size")),
    ...optional("offline", flags.is("offline") ? true : undefined),
    ...optional("verify", choice(flags, "verify", ["stat", "content"] as const)),
    ...optional("compression", parseCompression(flags.text("compression"))),
    registry: await registryOptions(flags, io, tell),
  };
}

const DOCKERFILE_LIMIT = 16 * 1024 * 1024;

async function dockerfile(flags: Arguments, io: Io): Promise<BuildOptions["dockerfile"]> {
  if (flags.text("file") === "-")
    return { text: await readStandardInput(io, "a Dockerfile", DOCKERFILE_LIMIT), file: "<stdin>" };
  const file = path(flags, io, "file");
  return file === undefined ? undefined : { path: file };
}

/** A directory starts where the command is run. */
function namedContext(text: string, io: Io): readonly [string, string] {
  const [name, value] = keyValue("build-context", text);
  return [name, /^[a-z][a-z0-9+-]*:\/\//i.test(value) ? value : resolve(io.cwd, value)];
}

/** What a word of the command line cannot mean is a wrong command line. */
function asTyped(flag: string, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new UsageError(`--${flag}: ${error.message} ${error.hint ?? ""}`.trim(), { cause: error });
  }
}

/** `NAME` alone takes the value from the environment, as docker does; unset there, it is not given. */
function buildArgument(text: string, io: Io): (readonly [string, string])[] {
  if (text.includes("=")) return [keyValue("build-arg", text)];
  const value = io.env[text];
  return value === undefined ? [] : [[text, value]];
}

/** The last colon separates, so that a drive letter or a colon in `from` does no harm. */
function parseMapping(text: string): FileMapping {
  const at = text.lastIndexOf(":");
  if (at < 1 || at === text.length - 1)
    throw new UsageError(`--map takes FROM:TO, not ${JSON.stringify(text)}.`);
  return { from: text.slice(0, at), to: text.slice(at + 1) };
}

function choice<T extends string>(flags: Arguments, flag: string, values: readonly T[]): T | undefined {
  const text = flags.text(flag);
  const value = values.find((candidate) => candidate === text);
  if (text === undefined || value !== undefined) return value;
  throw new UsageError(`--${flag} is one of ${values.join(", ")}, not ${JSON.stringify(text)}.`);
}

function path(flags: Arguments, io: Io, flag: string): string | undefined {
  const text = flags.text(flag);
  if (text === "") throw new UsageError(`--${flag} takes a path, and "" is none.`);
  return text === undefined ? undefined : resolve(io.cwd, text);
}

function optional<K extends string, const V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  const none: { readonly [P in K]?: V } = {};
  return value === undefined ? none : { ...none, [key]: value };
}
