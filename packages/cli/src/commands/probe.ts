import { openImage } from "@undocked/core";
import { probeImage, type ProbeResult } from "@undocked/core/probe";
import { registryClient } from "@undocked/registry";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command, Io } from "../io.ts";
import { reading } from "../named-file.ts";
import { registryFlags, registryOptions } from "../registry-flags.ts";
import { renderDiagnostic } from "../render/error.ts";
import { jsonText } from "../render/json.ts";

export const usage: Usage = {
  synopsis: "probe LAYOUT[:TAG]|ARCHIVE[:TAG]|REFERENCE [OPTIONS]",
  summary:
    "Starts the image's program in a root of its own, without a network, and asks its port once. Linux only. Exit code 1: no answer.",
  flags: {
    port: { short: "p", value: "PORT", help: "Default: 8082" },
    address: { value: "ADDRESS", help: "A loopback address (default: 127.0.0.2)" },
    path: { value: "PATH", help: "Of the request (default: /)" },
    timeout: { value: "SECONDS", help: "How long to wait for the port and the answer (default: 10)" },
    json: { help: "Print the result as JSON" },
    ...registryFlags,
  },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [target, ...more] = flags.positionals;
  if (target === undefined || more.length > 0)
    throw new UsageError(`probe takes one image, not ${flags.positionals.length}.`);
  const port = numberIn("port", flags.text("port") ?? "8082", 65_535);
  const seconds = numberIn("timeout", flags.text("timeout") ?? "10", 3600);
  const address = flags.text("address") ?? "127.0.0.2";
  if (!loopback.test(address))
    throw new UsageError(
      `--address takes a loopback address such as 127.0.0.2, not ${JSON.stringify(address)}.`,
    );
  const path = rooted(flags.text("path") ?? "/");
  if (!visible.test(path))
    throw new UsageError(
      `--path takes visible ASCII characters, others percent-encoded, and not ${JSON.stringify(path)}.`,
    );
  await using client = registryClient(await registryOptions(flags, io));
  await using image = await reading(() => openImage(target, { client, directory: io.cwd, signal }));
  const [root, ...others] = image?.roots ?? [];
  if (image === undefined)
    throw new UsageError(
      `${target} is a file and no archive of images; undocked check takes a program's file.`,
    );
  if (root === undefined || others.length > 0)
    throw new UsageError(
      `${target} holds ${image.roots.length} images; name one by its tag, as ${target}:TAG.`,
    );
  const timeoutMs = seconds * 1000;
  const result = await probeImage(root, image.source, { port, address, path, timeoutMs, signal });
  print(result, address, port, flags.is("json"), io);
  return result.ok ? 0 : 1;
};

const loopback = /^127(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/;
const visible = /^[!-~]+$/;

function rooted(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

function numberIn(flag: string, text: string, most: number): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= 1 && number <= most) return number;
  throw new UsageError(`--${flag} takes a number from 1 to ${most}, not ${JSON.stringify(text)}.`);
}

function print(result: ProbeResult, address: string, port: number, json: boolean, io: Io): void {
  if (json) {
    io.stdout.write(jsonText(result));
    return;
  }
  const { status, readyMs, firstByteMs, answered, findings } = result;
  if (status !== undefined) {
    io.stdout.write(
      `${address}:${port} answered ${status}; port open after ${readyMs} ms, first byte after ${firstByteMs} ms; listens at ${answered.join(", ")}\n`,
    );
  }
  for (const finding of findings) io.stderr.write(renderDiagnostic(finding));
}
