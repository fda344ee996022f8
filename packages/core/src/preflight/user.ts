import type { SourceNode } from "../context/source-tree.ts";
import type { ImageFiles } from "./image-files.ts";
import type { UserFacts } from "./proof.ts";

/** More than any system's. */
const LARGEST_DATABASE = 16 * 1024 * 1024;

/** Who the configured USER is; `missing`: what the runtime would not find. */
export interface FoundUser extends UserFacts {
  readonly missing?: { readonly what: "user" | "group"; readonly name: string };
}

/**
 * Reads `user[:group]` as runc does: names are the image's own, a number needs no entry, a user that has one brings its
 * groups.
 */
export async function findUser(name: string, files: ImageFiles): Promise<FoundUser> {
  const [user = "", group = ""] = name.split(":", 2);
  const entry = user === "" ? ["root", "x", "0", "0"] : await entryOf(files, "/etc/passwd", user, 2);
  const uid = numberOf(entry?.[2] ?? user);
  if (uid === undefined) {
    return { name, uid: 0, gid: 0, groups: [0], missing: { what: "user", name: user } };
  }
  const own = numberOf(entry?.[3] ?? "") ?? 0;
  if (group === "") {
    const others = entry === undefined ? [] : await groupsWith(files, entry[0] ?? "");
    return { name, uid, gid: own, groups: [...new Set([own, ...others])] };
  }
  const gid = numberOf((await entryOf(files, "/etc/group", group, 2))?.[2] ?? group);
  if (gid === undefined) {
    return { name, uid, gid: own, groups: [own], missing: { what: "group", name: group } };
  }
  return { name, uid, gid, groups: [gid] };
}

/** Whether the kernel lets somebody do something with a file: 4 read, 2 write, 1 execute or search. */
export function may({ uid, groups }: UserFacts, what: 1 | 2 | 4, node: SourceNode): boolean {
  // CAP_DAC_OVERRIDE: all but executing what nobody may execute.
  if (uid === 0) return what !== 1 || node.kind === "directory" || (node.mode & 0o111) !== 0;
  const shift = node.uid === uid ? 6 : groups.includes(node.gid) ? 3 : 0;
  return ((node.mode >> shift) & what) !== 0;
}

/** Whom a program runs as once it is started: set-uid and set-gid bits change that, and file capabilities add rights. */
export function asExecuted(
  user: UserFacts,
  { mode, uid, gid, xattrs }: SourceNode,
): { readonly user: UserFacts; readonly gainsRights: boolean } {
  const setsUser = (mode & 0o4000) !== 0 && uid !== user.uid;
  // Without the group's x bit it means something else.
  const setsGroup = (mode & 0o2010) === 0o2010 && gid !== user.gid;
  const hasCapabilities = user.uid !== 0 && xattrs?.["security.capability"] !== undefined;
  const changed: UserFacts = {
    ...user,
    ...(setsUser ? { name: String(uid), uid } : {}),
    ...(setsGroup ? { gid, groups: [...user.groups, gid] } : {}),
  };
  return { user: changed, gainsRights: setsUser || setsGroup || hasCapabilities };
}

/** Of a line that begins with the name, or whose number it is. */
async function entryOf(
  files: ImageFiles,
  path: string,
  name: string,
  numberAt: number,
): Promise<string[] | undefined> {
  const lines = await linesOf(files, path);
  return lines.find(([first]) => first === name) ?? lines.find((fields) => fields[numberAt] === name);
}

async function groupsWith(files: ImageFiles, user: string): Promise<number[]> {
  const lines = await linesOf(files, "/etc/group");
  return lines.flatMap(([, , gid = "", members = ""]) => {
    const number = numberOf(gid);
    return number !== undefined && members.split(",").includes(user) ? [number] : [];
  });
}

async function linesOf(files: ImageFiles, path: string): Promise<string[][]> {
  const bytes = await files.read(path, LARGEST_DATABASE);
  const text = new TextDecoder().decode(bytes ?? new Uint8Array(0));
  return text.split("\n").map((line) => line.trim().split(":"));
}

function numberOf(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= 0x7f_ff_ff_ff ? Number(text) : undefined;
}
