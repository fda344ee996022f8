import { CopyError } from "./copy-error.ts";
import type { RootFs } from "./rootfs.ts";

/** Who owns a file, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * What `--chown=user[:group]` and USER mean in a root file system: numbers, or names from its passwd and group. A number
 * alone is the group's too, a name alone brings its primary group, and `:group` alone belongs to root.
 *
 * @throws {CopyError} `OWNER_UNKNOWN`; BuildKit takes an unknown name for 0, which nobody can have meant
 */
export function parseOwner(text: string, root: Pick<RootFs, "read">): Owner {
  const colon = text.indexOf(":");
  const user = colon === -1 ? text : text.slice(0, colon);
  const group = colon === -1 ? undefined : text.slice(colon + 1);
  const { uid, gid } = userOf(user, root);
  return { uid, gid: group === undefined || group === "" ? gid : groupOf(group, root) };
}

/** Whether {@link parseOwner} finds it out by itself, whatever the root has. */
export function isOwnerByNumber(text: string): boolean {
  const colon = text.indexOf(":");
  const names = colon === -1 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
  return names.every((name) => name === "" || name === "root" || numberOf(name) !== undefined);
}

function userOf(user: string, root: Pick<RootFs, "read">): Owner {
  if (user === "" || user === "root") return { uid: 0, gid: 0 };
  const number = numberOf(user);
  if (number !== undefined) return { uid: number, gid: number };
  // name:password:uid:gid:…
  const fields = lineOf(root, "/etc/passwd", user);
  const uid = numberOf(fields?.[2] ?? "");
  const gid = numberOf(fields?.[3] ?? "");
  if (uid === undefined || gid === undefined) throw unknown("user", user, "/etc/passwd");
  return { uid, gid };
}

function groupOf(group: string, root: Pick<RootFs, "read">): number {
  // name:password:gid:…
  const gid =
    group === "root" ? 0 : (numberOf(group) ?? numberOf(lineOf(root, "/etc/group", group)?.[2] ?? ""));
  if (gid === undefined) throw unknown("group", group, "/etc/group");
  return gid;
}

function lineOf(root: Pick<RootFs, "read">, path: string, name: string): string[] | undefined {
  const text = new TextDecoder().decode(root.read(path) ?? new Uint8Array(0));
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .find(([first]) => first === name);
}

/** What fits into Linux' `uid_t` without its reserved last value; with a `+` or without, as Go reads it. */
function numberOf(text: string): number | undefined {
  return /^\+?[0-9]{1,10}$/.test(text) && Number(text) < 0xff_ff_ff_ff ? Number(text) : undefined;
}

function unknown(what: "user" | "group", name: string, file: string): CopyError {
  return new CopyError(
    "OWNER_UNKNOWN",
    `The ${what} ${JSON.stringify(name)} is not in ${file} of this stage.`,
    {
      hint: `Give the ${what} by its number.`,
    },
  );
}
