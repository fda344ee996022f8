import { expect, test } from "vitest";
import { scriptOf } from "./script-reader.ts";

test.each([
  [["/usr/bin/node", "server.js", "--port", "1"], "server.js"],
  [["node", "--enable-source-maps", "-r", "dotenv/config", "dist/main"], "dist/main"],
  [["node", "--max-old-space-size=512", "--", "a.js"], "a.js"],
  [["python3.11", "-u", "-X", "dev", "app.py"], "app.py"],
  [["python", "-Wignore", "app"], "app"],
  [["perl", "-w", "-I", "lib", "a.pl"], "a.pl"],
  [["ruby", "-W0", "a.rb"], "a.rb"],
  [["php", "-d", "a=b", "a.php"], "a.php"],
  [["java", "-Xmx1g", "-Da=b", "-cp", "x", "-jar", "/app.jar"], "/app.jar"],
  [["dotnet", "App.dll"], "App.dll"],
  // Nobody can say, or there is no file to it.
  [["node", "--unknown-flag", "server.js"], undefined],
  [["node", "-e", "1"], undefined],
  [["node", "-"], undefined],
  [["node"], undefined],
  [["node", "inspect", "a.js"], undefined],
  [["python3", "-m", "http.server"], undefined],
  [["python3", "-c", "1"], undefined],
  [["java", "-cp", "x", "Main"], undefined],
  [["java", "@options"], undefined],
  [["dotnet", "run"], undefined],
  [["perl", "-ne", "print"], undefined],
  [["/opt/nodes", "a.js"], undefined],
] as const)("%j reads %s", ([path, ...args], file) => {
  expect(scriptOf(path, args)?.file).toBe(file);
});
