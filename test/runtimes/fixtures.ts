import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyImage, ociLayout } from "@undocked/registry";
import { corpusImage, type CorpusBase } from "../support/corpus-registry.ts";
import { readCorpus } from "../support/corpus.ts";
import { contexts } from "./contexts.ts";

const golden = fileURLToPath(new URL("../golden/", import.meta.url));
const folders = readdirSync(golden).filter((name) => existsSync(join(golden, name, "Dockerfile")));
const { bases } = readCorpus<{ readonly bases: Readonly<Record<string, CorpusBase>> }>(
  "dockerfile/semantics.json",
);

/** What is built everywhere: the contexts made here, and the folders of test/golden. */
export const fixtureNames: readonly string[] = [...Object.keys(contexts), ...folders];

/**
 * Writes `fixtures/NAME/{Dockerfile,context/}` for each, and the bases of test/golden as the layout `bases`, whose tags are what
 * stands last in their names. Modes are those that git keeps, whatever the umask is.
 */
export async function writeFixtures(directory: string): Promise<void> {
  for (const [name, write] of Object.entries(contexts)) {
    const context = join(directory, "fixtures", name, "context");
    mkdirSync(context, { recursive: true });
    await write(context);
    renameSync(join(context, "Dockerfile"), join(context, "../Dockerfile"));
  }
  for (const name of folders) {
    const from = join(golden, name);
    const to = join(directory, "fixtures", name);
    mkdirSync(join(to, "context"), { recursive: true });
    for (const part of ["Dockerfile", "context"])
      if (existsSync(join(from, part)))
        cpSync(join(from, part), join(to, part), { recursive: true, verbatimSymlinks: true });
    eachBelow(to, (path, mode) => chmodSync(path, mode));
  }
  await writeBases(ociLayout(join(directory, "bases")));
}

/** Gives every file and directory another time, each another one. */
export function touchAll(directory: string): void {
  let time = 1_300_000_000;
  eachBelow(directory, (path) => lutimesSync(path, (time += 1000), time));
}

export function goldenDigests(): Record<string, string> {
  return JSON.parse(readFileSync(new URL("expected.json", import.meta.url), "utf8"));
}

async function writeBases(layout: ReturnType<typeof ociLayout>): Promise<void> {
  for (const [name, base] of Object.entries(bases)) {
    const { root, store } = await corpusImage(base, "none");
    await copyImage(root, store, layout, { tags: [name.replace(/.*\//, "").replace(/:.*/, "")] });
  }
}

/** Links are only for who does not follow them: `visit` has a mode for files and directories. */
function eachBelow(directory: string, visit: (path: string, mode: number) => void): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stats = lstatSync(path);
    if (stats.isDirectory()) eachBelow(path, visit);
    if (stats.isSymbolicLink()) continue;
    visit(path, stats.isDirectory() || (stats.mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}
