import type { Platform } from "@undocked/registry";
import { imageFiles } from "../preflight/image-files.ts";
import { lookPath } from "../preflight/look-path.ts";
import { MOST_SCRIPTS, parseShebang } from "../preflight/shebang.ts";
import { fromWorkingDirectory, type Trial } from "../preflight/trial.ts";
import { may } from "../preflight/user.ts";
import type { RootFs } from "../rootfs/rootfs.ts";

/** What a runtime has at hand when it looks for the program. */
export interface Start {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly platform: Platform;
}

/** Where the program lies, or why no runtime starts it. */
export type Program = { readonly path: string } | { readonly fault: string };

/**
 * Finds the program as runtimes do, and tells what they would refuse where `execvp` is more lenient: it takes a program from a relative
 * element of PATH, and hands what the kernel cannot execute to a shell.
 */
export async function findProgram(
  root: RootFs,
  { name, env, workingDirectory, platform }: Start,
): Promise<Program> {
  const user = { name: "", uid: 0, gid: 0, groups: [0] };
  const files = imageFiles(root);
  const trial: Trial = { files, platform, user, workingDirectory, volumes: [], steps: [], findings: [] };
  const refused = (why: string): Program => ({ fault: `exec ${JSON.stringify(name)}: ${why}` });

  let path = name;
  if (!name.includes("/")) {
    const found = lookPath(trial, name, new Map(Object.entries(env)));
    if (found.kind === "missing") return refused("executable file not found in PATH");
    if (!found.path.startsWith("/"))
      return refused("cannot run executable found relative to current directory");
    path = found.path;
  }
  let file = path;
  for (let scripts = 0; scripts <= MOST_SCRIPTS; scripts += 1) {
    const { node, path: real } = files.walk(fromWorkingDirectory(trial, file));
    // The kernel says best what is wrong.
    if (node?.kind !== "file" || !may(user, 1, node)) break;
    const { format, head = "" } = await files.facts(real);
    if (format === "elf") break;
    const shebang = parseShebang(head);
    if (format !== "script" || shebang.kind !== "interpreter") return refused("exec format error");
    file = shebang.path;
  }
  return { path };
}
