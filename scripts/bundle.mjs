// Joins the command, compiled, and all that it imports into a few files: Node starts them in a third of the time that two
// hundred modules take. Beside them lie the licenses of what they hold.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const dist = fileURLToPath(new URL("../packages/cli/dist/", import.meta.url));
const name = "undocked";

for (const file of readdirSync(dist)) if (file.startsWith(name)) rmSync(join(dist, file));
const bundle = await rolldown({
  input: { [name]: join(dist, "bin.js") },
  platform: "node",
  treeshake: true,
  plugins: [withoutPolyfill()],
});
// In the same directory as what they are made of, so that paths relative to a module stay right.
const { output } = await bundle.write({
  dir: dist,
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: `${name}-[name]-[hash].js`,
  // All that an unchanged build needs is one file: to find and open each of thirty takes longer than to read it.
  codeSplitting: {
    groups: [
      { name: "args", test: /[\\/]cli[\\/]dist[\\/]args\.js$/, priority: 2 },
      { name: "build", test: /[\\/]cli[\\/]dist[\\/]commands[\\/]build\.js$/, priority: 1 },
    ],
  },
});
await bundle.close();
writeFileSync(join(dist, `${name}.licenses.txt`), licensesOf(output));

/** fetch-blob looks whether Node has web streams, which loads them, and brings a fifth of all that there is for one without. */
function withoutPolyfill() {
  const id = "\0web-streams";
  return {
    name: "without-polyfill",
    resolveId: { filter: { id: /^\.\/streams\.cjs$/ }, handler: () => id },
    load: { filter: { id: /^\0web-streams$/ }, handler: () => "" },
  };
}

/** Of each package that is not ours, its name, version and license text. */
function licensesOf(chunks) {
  const directories = new Set(
    chunks
      .flatMap((chunk) => (chunk.type === "chunk" ? chunk.moduleIds : []))
      .filter((id) => id.includes("/node_modules/"))
      .map(packageDirectory),
  );
  return [...directories].map(licenseOf).sort().join("\n\n");
}

function packageDirectory(id) {
  for (let at = dirname(id); ; at = dirname(at)) {
    const file = join(at, "package.json");
    if (existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version !== undefined) return at;
    if (at === dirname(at)) throw new Error(`${id} is in no package: its license is not known`);
  }
}

function licenseOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text = file === undefined ? "" : readFileSync(join(directory, file), "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}`.trim();
}
