import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ociLayout } from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCli, runCli, type CliOptions } from "../support/cli.ts";
import { validateImage } from "../support/random-image.ts";
import { buildAll } from "./build-all.ts";
import { contexts } from "./contexts.ts";
import { fixtureNames, goldenDigests, touchAll, writeFixtures } from "./fixtures.ts";

/*
 * S12: one manifest digest for each fixture, whatever else differs. `expected.json` is added to by UNDOCKED_WRITE_GOLDEN=1, and
 * never edited: people pin digests. Other runtimes are in runtimes.test.ts.
 */

const shuffle = fileURLToPath(new URL("shuffle-readdir.mjs", import.meta.url));
let directory: string;
const checkout = (): string => join(directory, "checkout");
const otherCheckout = (): string => join(directory, "another/deeper/checkout");

beforeAll(async () => {
  buildCli();
  directory = mkdtempSync(join(tmpdir(), "undocked-same-"));
  await writeFixtures(checkout());
  await writeFixtures(otherCheckout());
  touchAll(join(otherCheckout(), "fixtures"));
  if (process.env["UNDOCKED_WRITE_GOLDEN"] === "1") await addGoldens();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function addGoldens(): Promise<void> {
  const digests = { ...(await buildAll(checkout())), ...goldenDigests() };
  const text = `${JSON.stringify(digests, fixtureNames as string[], 2)}\n`;
  writeFileSync(new URL("expected.json", import.meta.url), text);
}

test("every fixture has a golden digest, and every golden digest a fixture", () => {
  expect(Object.keys(goldenDigests()).sort()).toEqual(fixtureNames.toSorted());
});

test.each<[string, CliOptions]>([
  ["as it is", {}],
  ["1 worker", { env: { UV_THREADPOOL_SIZE: "1" } }],
  ["2 workers", { env: { UV_THREADPOOL_SIZE: "2" } }],
  ["4 workers", { env: { UV_THREADPOOL_SIZE: "4" } }],
  ["16 workers", { env: { UV_THREADPOOL_SIZE: "16" } }],
  ["umask 077", { umask: "077" }],
  ["umask 000", { umask: "000" }],
  ["another TZ, east", { env: { TZ: "Pacific/Kiritimati" } }],
  ["another TZ, of half hours", { env: { TZ: "Asia/Kolkata" } }],
  ["another LANG", { env: { LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" } }],
  ["LANG=C", { env: { LANG: "C", LC_ALL: "C" } }],
  ["directories listed in any order", { env: { NODE_OPTIONS: `--import=${shuffle}` } }],
  ["another working directory", { cwd: "/" }],
])("S12: the same digests with %s", async (_, options) => {
  expect(await buildAll(checkout(), options)).toEqual(goldenDigests());
});

test("S12: the same digests from another checkout with other times", async () => {
  expect(await buildAll(otherCheckout())).toEqual(goldenDigests());
});

test("S12: the same digests with a cache: empty, full, and full from another checkout", async () => {
  const cache = join(directory, "cache");
  for (const place of [checkout(), checkout(), otherCheckout()])
    expect(await buildAll(place, { cache })).toEqual(goldenDigests());
});

describe("the command", () => {
  test.each(Object.keys(contexts))("%s", async (name) => {
    const output = join(directory, "output");
    rmSync(output, { recursive: true, force: true });
    const place = join(checkout(), "fixtures", name);
    const files = [join(place, "context"), "-f", join(place, "Dockerfile")];
    const target = ["--no-cache", "--preflight=off", "--output", `type=oci-layout,dest=${output}`];
    const { code, stdout, stderr } = await runCli(["build", ...files, ...target]);
    expect(code, stderr).toBe(0);
    expect(stdout.trim()).toBe(goldenDigests()[name]);
    await validateImage(await ociLayout(output).resolve("latest"), ociLayout(output));
  });
});

test("other content has another digest", async () => {
  const place = join(directory, "other");
  const context = join(place, "fixtures/small files/context");
  await writeFixtures(place);
  mkdirSync(join(context, "app"), { recursive: true });
  writeFileSync(join(context, "app/Z.txt"), "other\n", { mode: 0o644 });
  const { "small files": other, ...rest } = await buildAll(place);
  const { "small files": golden, ...others } = goldenDigests();
  expect(rest).toEqual(others);
  expect(other).not.toBe(golden);
});
