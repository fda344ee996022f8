// Loaded before a program: directories are listed in another order at every call.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const shuffled = (names) =>
  names
    .map((name) => [Math.random(), name])
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);

const { readdirSync } = fs;
const { readdir } = fs.promises;
fs.readdirSync = (...args) => shuffled(readdirSync(...args));
fs.promises.readdir = async (...args) => shuffled(await readdir(...args));
syncBuiltinESMExports();
