// Builds each fixture of a directory in this one process, and prints the digests of their manifests by name: `node
// build-all.mjs DIRECTORY [CACHE]`. Plain JavaScript over the compiled packages, so that any runtime can start it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { buildImage } from "../../packages/core/dist/index.js";

const [directory, cache = false] = process.argv.slice(2);
const tags = JSON.parse(readFileSync(join(directory, "bases/index.json"), "utf8")).manifests.map(
  ({ annotations }) => annotations["org.opencontainers.image.ref.name"],
);
const namedContexts = Object.fromEntries(
  tags.map((tag) => [`registry.test/corpus/${tag}`, `oci-layout://${join(directory, "bases")}:${tag}`]),
);

const digests = {};
for (const name of readdirSync(join(directory, "fixtures")).sort()) {
  const place = join(directory, "fixtures", name);
  const image = await buildImage({
    context: join(place, "context"),
    dockerfile: { text: readFileSync(join(place, "Dockerfile"), "utf8"), file: "Dockerfile" },
    namedContexts,
    preflight: "off",
    cache,
  });
  digests[name] = image.root.digest;
  await image[Symbol.asyncDispose]();
}
console.log(JSON.stringify(digests));
