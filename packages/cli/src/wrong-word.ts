import { suggest } from "@undocked/core/dockerfile";
import type { UnknownWord } from "./args.ts";

const onlyForRun = "Leave it out: it is for RUN, which is refused.";
const noAttestation = "Leave it out: no attestation is written.";
const kept = "Leave it out, or keep a directory between runs: --cache-dir DIRECTORY.";

/** Words of docker's that are none here, and what to do instead. */
const instead: ReadonlyMap<string, string> = new Map([
  ["buildx", "Leave the word out: undocked build."],
  ["images", "Look where images lie: undocked tags REPOSITORY, undocked manifest IMAGE."],
  ["load", "Give the archive by its place: undocked copy docker-archive:FILE REFERENCE."],
  ["pull", "Copy it into a layout: undocked copy REFERENCE oci:DIRECTORY:TAG."],
  [
    "push",
    "Push what is built, undocked build -t REFERENCE --push, or what is there, undocked copy SOURCE REFERENCE.",
  ],
  ["run", "Leave that to a runtime, or ask the image's port: undocked probe."],
  ["save", "Copy it into an archive: undocked copy REFERENCE docker-archive:FILE:REFERENCE."],
  ["tag", "Copy it to its other name: undocked copy REFERENCE OTHER."],
  ["version", "Write undocked --version."],
  ["--add-host", onlyForRun],
  ["--allow", onlyForRun],
  ["--attest", noAttestation],
  ["--builder", "Leave it out: undocked builds in its own process."],
  ["--cache-from", kept],
  ["--cache-to", kept],
  ["--call", "Write --check, or --plan."],
  ["--force-rm", "Leave it out: there are no containers to remove."],
  ["--load", "Give an archive to the daemon: undocked build -t NAME -o type=docker,dest=- | docker load."],
  ["--network", onlyForRun],
  ["--no-cache-filter", "Write --no-cache."],
  ["--password", "Give it on standard input: --password-stdin."],
  ["--provenance", noAttestation],
  ["--pull", "Leave it out: every build asks what a base's tag stands for."],
  ["--rm", "Leave it out: there are no containers to remove."],
  ["--sbom", noAttestation],
  ["--secret", onlyForRun],
  ["--shm-size", onlyForRun],
  ["--ssh", onlyForRun],
  ["--tls-verify", "Write --plain-http HOST, or --registry-ca PATH."],
  ["--ulimit", onlyForRun],
]);

/** What was most likely meant by a word that is none of those known; `undefined`: nobody knows. */
export function hintFor({ word, known }: UnknownWord): string | undefined {
  const habit = instead.get(word);
  if (habit !== undefined) return habit;
  const meant = suggest(word, known);
  return meant === undefined ? undefined : `Did you mean ${meant}?`;
}
