/**
 * The path made absolute and clean: `./a/`, `a`, `/a` and `/b/../../a` are all `/a`. A `..` at the root stays there.
 */
export function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") kept.pop();
    else if (name !== "" && name !== ".") kept.push(name);
  }
  return `/${kept.join("/")}`;
}

/** Linux' own limit for a path, and for what a link says; a tree with longer ones would cost more than it can be worth. */
export const LONGEST_PATH = 4096;

/** Of clean absolute paths and names. */
export function joinPath(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** Of a clean absolute path; the root's is the root. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** The last component; of the root, the empty string. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether `path` is `root` or lies below it. Both clean and absolute. */
export function isWithin(path: string, root: string): boolean {
  return root === "/" || path === root || path.startsWith(`${root}/`);
}

/** Orders texts as their UTF-8 bytes are ordered, which UTF-16's own order is not beyond U+FFFF. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Puts the surrogates, which stand for the highest code points, last. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** Sorts names as {@link compareBytes} would, in place. */
export function sortByBytes(names: string[]): string[] {
  // What stands beyond the surrogates is what the built-in order, which is faster, has at a wrong place.
  const isOrdinary = !names.some((name) => BEYOND.test(name));
  // oxlint-disable-next-line unicorn/require-array-sort-compare -- it is the order of UTF-16
  return isOrdinary ? names.sort() : names.sort(compareBytes);
}

const BEYOND = /[\ud800-\uffff]/;
