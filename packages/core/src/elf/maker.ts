import type { Notes } from "./notes.ts";
import type { Window } from "./window.ts";

/** What made a program, where that shows without reading all of it; each is linked statically by other means, or not at all. */
export type Maker = "go" | "node" | "bun" | "deno";

const trailerSize = 4096;
/** Runtimes that carry a script at the end of their own file, and how they find it there. */
const trailers: readonly (readonly [mark: string, maker: Maker])[] = [
  ["\n---- Bun! ----\n", "bun"],
  ["d3n0l4nd", "deno"],
];

/** Go and Node's postject leave a note; the others a mark at the file's end. */
export async function makerOf(file: Window, notes: Notes): Promise<Maker | undefined> {
  if (notes.owners.includes("Go")) return "go";
  if (notes.owners.includes("NODE_SEA_BLOB")) return "node";
  const start = Math.max(0, file.size - trailerSize);
  const view = await file.view(start, file.size - start);
  const end = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return trailers.find(([mark]) => end.includes(mark))?.[1];
}
