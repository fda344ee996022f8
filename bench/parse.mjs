// Parsing all Dockerfiles of the corpus, ours and dockerfile-ast in turns: `npm install --prefix DIRECTORY dockerfile-ast`, then
// `node bench/parse.mjs DIRECTORY [rounds]`. Both read each text to its instructions and their arguments.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import process from "node:process";
import { parseDockerfile } from "../packages/core/dist/dockerfile/index.js";

const [directory, rounds = "30"] = process.argv.slice(2);
if (directory === undefined) throw new Error("node bench/parse.mjs DIRECTORY_WITH_DOCKERFILE_AST [rounds]");
const { DockerfileParser } = createRequire(resolve(directory, "package.json"))("dockerfile-ast");
const corpus = new URL("../test/corpus/dockerfile/", import.meta.url);
const texts = ["parser-cases.json", "semantics.json", "lint-cases.json"].flatMap((name) =>
  JSON.parse(readFileSync(new URL(name, corpus), "utf8")).cases.map(({ dockerfile }) => dockerfile),
);

function ours() {
  let instructions = 0;
  for (const text of texts) {
    try {
      for (const stage of parseDockerfile(text).stages) instructions += 1 + stage.instructions.length;
    } catch (error) {
      // Texts with faults are parsed to their end, too.
      if (error.diagnostics === undefined) throw error;
    }
  }
  return instructions;
}

function theirs() {
  let instructions = 0;
  for (const text of texts) {
    for (const instruction of DockerfileParser.parse(text).getInstructions()) {
      instruction.getArguments();
      instructions += 1;
    }
  }
  return instructions;
}

const times = { ours: [], theirs: [] };
for (let round = 0; round < Number(rounds) + 3; round++) {
  for (const [name, parse] of [
    ["ours", ours],
    ["theirs", theirs],
  ]) {
    const begun = performance.now();
    parse();
    // The first rounds are for the compiler.
    if (round >= 3) times[name].push(performance.now() - begun);
  }
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
console.log(`${texts.length} Dockerfiles, ${bytes} bytes, ${rounds} rounds, Node ${process.version}`);
for (const [name, list] of Object.entries(times)) console.log(`${name}: ${median(list).toFixed(1)} ms`);
console.log(`ratio: ${(median(times.ours) / median(times.theirs)).toFixed(2)}`);
