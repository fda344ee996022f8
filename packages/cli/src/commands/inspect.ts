import { resolve } from "node:path";
import { defaultPlatform, parsePlatform, formatPlatform, UndockedError } from "@undocked/registry";
import {
  fileSource,
  inspectExecutable,
  staticGate,
  type ExecutableReport,
  type FileSource,
} from "@undocked/core/elf";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command } from "../io.ts";
import { renderDiagnostic, visible } from "../render/error.ts";
import { jsonText } from "../render/json.ts";

export const usage: Usage = {
  synopsis: "inspect FILE [OPTIONS]",
  summary:
    "Tells what an executable is, and whether it starts in an image that holds nothing else. Exit code 1: it does not.",
  flags: {
    platform: { value: "OS/ARCH[/VARIANT]", help: "Default: linux/amd64" },
    json: { help: "Print the whole report as JSON" },
  },
};

export const command: Command = async (argv, io) => {
  const flags = parseArguments(usage, argv);
  const [path, ...more] = flags.positionals;
  if (path === undefined || more.length > 0)
    throw new UsageError(`inspect takes one file, not ${flags.positionals.length}.`);
  const wanted = flags.text("platform");
  const platform = wanted === undefined ? defaultPlatform : parsePlatform(wanted);
  await using source = await openFile(resolve(io.cwd, path), path);
  const report = await inspectExecutable(source, { platform });
  const refusal = staticGate(report, { path, platform, mode: "static", role: "program" });
  if (flags.is("json")) io.stdout.write(jsonText({ ...report, refusal }));
  else {
    io.stdout.write(`${visible(path)}: ${verdict(report)}\n`);
    if (refusal !== undefined) io.stderr.write(renderDiagnostic(refusal));
  }
  return refusal === undefined ? 0 : 1;
};

/** In the words of scenario S17 when there is no such file. */
async function openFile(path: string, given: string): Promise<FileSource> {
  return await fileSource(path).catch((cause: unknown) => {
    throw new UndockedError(
      "EXECUTABLE_NOT_FOUND",
      `Provided executable ${given} does not exist or cannot be read.`,
      {
        hint: "Name a regular file.",
        cause,
      },
    );
  });
}

function verdict({ format, linkage, platform, interpreter, needed }: ExecutableReport): string {
  const details = [
    ...(interpreter === undefined ? [] : [`interpreter ${visible(interpreter)}`]),
    ...(needed.length === 0 ? [] : [`needs ${needed.map(visible).join(", ")}`]),
  ];
  const kind = format === "elf" ? `ELF, ${linkage}` : format;
  return [`${kind}, judged for ${formatPlatform(platform)}`, ...details].join("; ");
}
