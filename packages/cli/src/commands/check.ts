import { resolve } from "node:path";
import {
  checkFile,
  checkImage,
  openImage,
  type CheckedImage,
  type CheckOptions,
  type OpenedImage,
  type Proof,
} from "@undocked/core";
import { fileSource } from "@undocked/core/elf";
import {
  defaultPlatform,
  formatPlatform,
  parsePlatform,
  registryClient,
  type Platform,
} from "@undocked/registry";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command, Io } from "../io.ts";
import { reading } from "../named-file.ts";
import { registryFlags, registryOptions } from "../registry-flags.ts";
import { renderDiagnostic, visible } from "../render/error.ts";
import { jsonText } from "../render/json.ts";

export const usage: Usage = {
  synopsis: "check REFERENCE|LAYOUT[:TAG]|ARCHIVE[:TAG]|FILE [OPTIONS]",
  summary:
    "Tells whether an image can start, for each of its platforms; nothing is executed. Exit code 1: one cannot.",
  flags: {
    platform: { value: "OS/ARCH[/VARIANT]", help: "Only this one (default: all; of a FILE linux/amd64)" },
    json: { help: "Print the whole proof as JSON" },
    ...registryFlags,
  },
};

interface Result {
  readonly name: string;
  readonly platform: Platform;
  readonly digest?: string;
  readonly proof: Proof;
}

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [target, ...more] = flags.positionals;
  if (target === undefined || more.length > 0)
    throw new UsageError(`check takes one image, not ${flags.positionals.length}.`);
  const wanted = flags.text("platform");
  const platform = wanted === undefined ? undefined : parsePlatform(wanted);
  await using client = registryClient(await registryOptions(flags, io));
  const options = { signal, ...(platform === undefined ? {} : { platform }) };
  const results: readonly Result[] = await reading(async () => {
    await using image = await openImage(target, { client, directory: io.cwd, signal });
    if (image !== undefined)
      return (await checkAll(image, options)).map((checked) => ({ name: target, ...checked }));
    await using file = await fileSource(resolve(io.cwd, target));
    const judged = platform ?? defaultPlatform;
    return [{ name: target, platform: judged, proof: await checkFile(target, file, judged) }];
  });
  print(results, flags.is("json"), io);
  return results.every(({ proof }) => proof.ok) ? 0 : 1;
};

async function checkAll({ roots, source }: OpenedImage, options: CheckOptions): Promise<CheckedImage[]> {
  const checked: CheckedImage[] = [];
  for (const root of roots) checked.push(...(await checkImage(root, source, options)));
  return checked;
}

function print(results: readonly Result[], json: boolean, io: Io): void {
  if (json) {
    io.stdout.write(jsonText(results));
    return;
  }
  for (const { name, platform, digest, proof } of results) {
    const known = digest === undefined ? "" : ` ${digest}`;
    const verdict = proof.argv.length === 0 ? "has no command" : proof.ok ? "starts" : "cannot start";
    io.stdout.write(`${visible(name)}${known} ${formatPlatform(platform)}: ${verdict}\n`);
    for (const finding of proof.findings) io.stderr.write(renderDiagnostic(finding));
  }
}
