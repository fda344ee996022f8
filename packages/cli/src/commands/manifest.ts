import { manifestSizeLimit, parseJson, registryClient } from "@undocked/registry";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command } from "../io.ts";
import { reading } from "../named-file.ts";
import { openPlace, parsePlace } from "../place.ts";
import { choosePlatform, readManifest, registryFlags, registryOptions } from "../registry-flags.ts";
import { jsonText } from "../render/json.ts";

export const usage: Usage = {
  synopsis: "manifest IMAGE [OPTIONS]",
  summary:
    "Prints an image's manifest or index. IMAGE is a reference, or a place as `undocked copy` takes it.",
  flags: {
    platform: { value: "OS/ARCH[/VARIANT]", help: "Of an index, the manifest for this platform" },
    raw: { help: "Print its bytes as they are, and not indented" },
    ...registryFlags,
  },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [name, ...more] = flags.positionals;
  if (name === undefined || more.length > 0)
    throw new UsageError(`manifest takes one image, not ${flags.positionals.length}.`);
  await using client = registryClient(await registryOptions(flags, io));
  await using image = await openPlace(parsePlace(name, io.cwd), client, signal);
  const bytes = await reading(async () => {
    const root = await choosePlatform(image.root, image.source, flags.text("platform"), signal);
    return await readManifest(root, image.source, signal);
  });
  const indented = (): string =>
    jsonText(parseJson(bytes, manifestSizeLimit, "MANIFEST_INVALID", "The manifest"));
  io.stdout.write(flags.is("raw") ? bytes : indented());
  return 0;
};
