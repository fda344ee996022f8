import { buildImage } from "@undocked/core";
import { startRegistry } from "@undocked/registry/server";

await using registry = await startRegistry(); // or any registry that you may push to
await using image = await buildImage({
  project: "examples/hybridless",
  dockerfile: { text: "FROM scratch\nCOPY application /app/\nWORKDIR /app\n" },
  files: [{ from: "/src", to: "/application" }],
  tags: [`${registry.host}/team/app:1.0`],
  push: true,
});
console.log(image.digest); // the same for the same input, on every machine
