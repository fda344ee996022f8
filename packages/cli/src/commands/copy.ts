import { copyImage, registryClient, type CopyOptions } from "@undocked/registry";
import { choiceOf, parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command } from "../io.ts";
import { betweenPlaces, openPlace, openTarget, parsePlace } from "../place.ts";
import { choosePlatform, registryFlags, registryOptions } from "../registry-flags.ts";
import { progressDisplay, silentDisplay } from "../render/progress.ts";

export const usage: Usage = {
  synopsis: "copy SOURCE TARGET [OPTIONS]",
  summary:
    "Copies an image between registries, oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG] and docker-archive:FILE[:REFERENCE], and prints TARGET@DIGEST.",
  flags: {
    platform: { value: "OS/ARCH[/VARIANT]", help: "Only the image for this platform (default: all)" },
    referrers: { help: "Copy what refers to it too: signatures, attestations" },
    "foreign-layers": {
      help: "Copy layers that must not be distributed too; what the source does not have comes from their own URLs",
    },
    convert: { value: "oci|docker", help: "Give its manifests these media types, and another digest" },
    quiet: { short: "q", help: "Print the result alone" },
    ...registryFlags,
  },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [from, to, ...more] = flags.positionals;
  if (from === undefined || to === undefined || more.length > 0)
    throw new UsageError(`copy takes a source and a target, not ${flags.positionals.length}.`);
  const [source, destination] = [parsePlace(from, io.cwd), parsePlace(to, io.cwd)];
  const convert = choiceOf(flags, "convert", ["oci", "docker"]);
  const display = flags.is("quiet") ? silentDisplay() : progressDisplay("auto", io);
  const withForeign = flags.is("foreign-layers");
  const registry = await registryOptions(flags, io, display.note);
  await using client = registryClient({ ...registry, foreignLayers: withForeign ? "fetch" : "never" });
  await using target = await openTarget(destination, source, client);
  await using image = await openPlace(source, client, signal);
  const root = await betweenPlaces(source, destination, () =>
    choosePlatform(image.root, image.source, flags.text("platform"), signal),
  );
  const isOneRegistry =
    source.kind === "registry" &&
    destination.kind === "registry" &&
    source.reference.registry === destination.reference.registry;
  const options: CopyOptions = {
    tags: [target.tag],
    referrers: flags.is("referrers"),
    foreignLayers: withForeign ? "copy" : "skip",
    signal,
    ...(convert === undefined ? {} : { convert }),
    ...(isOneRegistry ? { mountFrom: () => source.reference.repository } : {}),
    onEvent: (event) => {
      const { kind, target: content } = event;
      if (kind === "progress") display.onEvent({ kind, to: target.name, content, bytes: event.bytes });
      else display.onEvent({ kind: "content", to: target.name, content, how: kind });
    },
  };
  const { digest } = await betweenPlaces(source, destination, async () => {
    const copied = await copyImage(root, image.source, target.store, options);
    await target.commit();
    return copied;
  }).finally(() => display.finish());
  io.stdout.write(`${target.name}@${digest}\n`);
  return 0;
};
