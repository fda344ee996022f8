/** The shortest spelling of a path, as Go's `path.Clean` gives it: `a//b/../c/` is `a/c`, nothing is `.`. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith("/");
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!rooted) kept.push("..");
  }
  return `${rooted ? "/" : ""}${kept.join("/")}` || ".";
}

/** `path` seen from the absolute directory `directory`, "" being the root; `..` stops at the root. */
export function resolvePath(directory: string, path: string): string {
  return cleanPath(path.startsWith("/") ? path : `/${directory}/${path}`);
}
