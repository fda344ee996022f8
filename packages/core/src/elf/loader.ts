import type { Window } from "./window.ts";

/** What is written into a loader: whose it is, and where it looks when nobody tells it. */
export type LoaderFacts =
  | {
      readonly kind: "glibc";
      /** Without their trailing `/`, in order; empty if they were not found. */
      readonly directories: readonly string[];
    }
  | {
      readonly kind: "musl";
      /** The file that names its directories: `/etc/ld-musl-x86_64.path`. */
      readonly pathFile: string;
    };

// glibc's has 200 to 300 KB, musl's 400 to 800.
const loaderLimit = 4 << 20;
const step = 1 << 20;
const overlap = 4096;

const muslFile = /\/etc\/ld-musl-[\w-]+\.path(?=\0)/;
// glibc keeps its directories as one run of strings, each with a `/` at its end.
const directoryRun = /(?:(?:\/usr)?\/lib[\w.+-]*(?:\/[\w.+-]+)*\/\0){2,}/;

/** Reads through a loader's file; `undefined`: it does not look as one. Larger files are none. */
export async function readLoader(file: Window, kind: "any" | "musl"): Promise<LoaderFacts | undefined> {
  if (file.size > loaderLimit) return undefined;
  for (let at = 0; at < file.size; at += step - overlap) {
    const view = await file.view(at, Math.min(step, file.size - at));
    const text = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("latin1");
    const [pathFile] = muslFile.exec(text) ?? [];
    if (pathFile !== undefined) return { kind: "musl", pathFile };
    const [run] = kind === "any" ? (directoryRun.exec(text) ?? []) : [];
    if (run !== undefined) {
      const directories = run.split("\0").filter((name) => name !== "");
      return { kind: "glibc", directories: directories.map((name) => name.replace(/\/$/, "")) };
    }
  }
  return kind === "any" ? { kind: "glibc", directories: [] } : undefined;
}
