import type { Output } from "@undocked/core";
import { UsageError } from "./args.ts";

/**
 * Reads `-o` as `docker buildx build` spells it: `type=oci,dest=PATH[,tar=false]`, `type=docker,dest=PATH`, `type=registry`,
 * `type=image,push=true`; and our own `oci-layout`, `oci-archive`, `docker-archive`. `dest=-` is standard output.
 */
export function parseOutput(text: string): Output | "push" {
  const { type = "", dest, tag, tar, push, ...unknown } = fields(text);
  const [stranger] = Object.keys(unknown);
  if (stranger !== undefined)
    throw new UsageError(`--output knows no ${stranger}= (in ${JSON.stringify(text)}).`);
  if (type === "registry" || (type === "image" && push === "true")) return "push";
  const kind = outputKind(type, tar);
  if (kind === undefined) {
    throw new UsageError(
      `--output type=${type} is not one of oci, docker, oci-layout, oci-archive, docker-archive, registry.`,
    );
  }
  if (dest === undefined || dest === "") throw new UsageError(`--output type=${type} needs dest=PATH.`);
  if (dest === "-" && kind === "oci-layout")
    throw new UsageError(
      "A layout is a directory, which standard output cannot take: --output type=oci is a tar.",
    );
  const path = dest === "-" ? "/dev/fd/1" : dest;
  return { type: kind, path, ...(tag === undefined ? {} : { tag }) };
}

/** Whether a path is one of the names of standard output. */
export function isStandardOutput(path: string): boolean {
  return /^\/(?:dev\/(?:stdout|fd\/1)|proc\/self\/fd\/1)$/.test(path);
}

const outputTypes: Readonly<Record<string, Output["type"]>> = {
  oci: "oci-archive",
  docker: "docker-archive",
  "oci-layout": "oci-layout",
  "oci-archive": "oci-archive",
  "docker-archive": "docker-archive",
};

function outputKind(type: string, tar: string | undefined): Output["type"] | undefined {
  if (type === "oci" && tar === "false") return "oci-layout";
  return Object.hasOwn(outputTypes, type) ? outputTypes[type] : undefined;
}

function fields(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((field) => {
      const at = field.indexOf("=");
      if (at < 1) throw new UsageError(`--output takes key=value pairs, not ${JSON.stringify(text)}.`);
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}
