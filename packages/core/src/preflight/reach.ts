import { baseName, joinPath } from "../context/path.ts";
import type { SourceNode } from "../context/source-tree.ts";
import type { Walk } from "./image-files.ts";
import { isFile, wordsApart } from "./meant.ts";
import {
  closedDirectory,
  fromWorkingDirectory,
  mountOver,
  permissions,
  prediction,
  report,
  severityOfMissing,
  type Cause,
  type Trial,
} from "./trial.ts";
import { may } from "./user.ts";

/** As what the kernel opens a file. */
export type Role = "program" | "interpreter" | "loader";

/** A file that the kernel can open to execute it. */
export interface Reached {
  readonly walk: Walk;
  readonly node: SourceNode;
}

const codes = {
  program: {
    missing: { code: "ENTRYPOINT_NOT_FOUND" },
    directory: { code: "ENTRYPOINT_IS_DIRECTORY" },
    special: { code: "ENTRYPOINT_NOT_FILE" },
    closed: { code: "ENTRYPOINT_UNREACHABLE" },
    mode: { code: "ENTRYPOINT_NOT_EXECUTABLE" },
    loop: { code: "ENTRYPOINT_LINK_LOOP" },
  },
  interpreter: {
    missing: { code: "SCRIPT_INTERPRETER_MISSING" },
    directory: { code: "SCRIPT_INTERPRETER_INVALID" },
    special: { code: "SCRIPT_INTERPRETER_INVALID" },
    closed: { code: "SCRIPT_INTERPRETER_UNREACHABLE" },
    mode: { code: "SCRIPT_INTERPRETER_NOT_EXECUTABLE" },
    loop: { code: "SCRIPT_INTERPRETER_INVALID" },
  },
  loader: {
    missing: { code: "INTERPRETER_MISSING" },
    directory: { code: "INTERPRETER_INVALID" },
    special: { code: "INTERPRETER_INVALID" },
    closed: { code: "INTERPRETER_UNREACHABLE" },
    mode: { code: "INTERPRETER_NOT_EXECUTABLE" },
    loop: { code: "INTERPRETER_INVALID" },
  },
} as const;

/**
 * What the kernel finds at a path that it is to execute; `undefined` where it finds none, which is then reported.
 *
 * @param program - what execve was called with, for the message
 */
export function reach(
  trial: Trial,
  cause: Cause,
  role: Role,
  path: string,
  program: string = path,
): Reached | undefined {
  const code = codes[role];
  const walk = trial.files.walk(fromWorkingDirectory(trial, path));
  const { node, fault } = walk;
  const by = walk.links.length === 0 ? "" : ` (${walk.links.join(", ")})`;
  if (fault === "loop") {
    const message = `${path} goes round in circles: ${walk.links.slice(0, 3).join(", ")} ….`;
    report(trial, cause, {
      ...code.loop,
      prediction: prediction(program, "ELOOP"),
      message,
      hint: "Let the link name the file itself.",
    });
    return undefined;
  }
  const closed = closedDirectory(trial, walk);
  if (closed !== undefined) {
    const mode = permissions(trial.files.root.lstat(closed)?.mode ?? 0);
    report(trial, cause, {
      ...code.closed,
      prediction: prediction(program, "EACCES"),
      message: `the user ${userName(trial)} may not look into ${closed}, which has mode ${mode}, on the way to ${path}.`,
      hint: `Give ${closed} mode 0755, or run as the user that owns it.`,
    });
    return undefined;
  }
  const over = mountOver(walk.path);
  if (over !== undefined && node !== undefined) {
    report(trial, cause, {
      ...code.missing,
      prediction: prediction(program, "ENOENT"),
      message: `${path} lies in ${over}, over which every runtime mounts its own, so that what the image has there is hidden.`,
      hint: "Copy it to another place.",
    });
    return undefined;
  }
  if (node === undefined) {
    const errno = fault === "not-a-directory" ? "ENOTDIR" : "ENOENT";
    const isReturn = role === "interpreter" && path.endsWith("\r");
    report(
      trial,
      { ...cause, severity: severityOfMissing(trial, cause, walk.path) },
      {
        ...(isReturn ? { code: "SCRIPT_CARRIAGE_RETURN" } : code.missing),
        prediction: prediction(program, errno),
        message: `${missing(walk, role, path)}${movedFrom(trial, path) ?? ""}`,
        hint:
          movedFrom(trial, path) === undefined
            ? (meant(trial, role, path) ?? missingHint(role, path))
            : `Copy to /usr${directoryOf(path)} instead, so that ${directoryOf(path)} stays a link.`,
      },
    );
    return undefined;
  }
  if (node.kind === "directory") {
    report(trial, cause, {
      ...code.directory,
      prediction: prediction(program, "EACCES"),
      message: `${path} is a directory${by}.`,
      hint: "Name the program in that directory.",
    });
    return undefined;
  }
  if (node.kind !== "file") {
    report(trial, cause, {
      ...code.special,
      prediction: prediction(program, "EACCES"),
      message: `${path} is a ${node.kind.replace("-", " ")}, not a file${by}.`,
      hint: "Copy the program to that path.",
    });
    return undefined;
  }
  if (!may(trial.user, 1, node)) {
    report(trial, cause, {
      ...code.mode,
      prediction: prediction(program, "EACCES"),
      message: `${path} has mode ${permissions(node.mode)} and belongs to ${node.uid}:${node.gid}${by}: the user ${userName(trial)} may not execute it.`,
      hint:
        (node.mode & 0o111) === 0
          ? "Set its x bits before the build (chmod 755), or copy it with COPY --chmod=755."
          : "Copy it with COPY --chmod=755, or with --chown for the user that starts it.",
    });
    return undefined;
  }
  return { walk, node };
}

function missing(walk: Walk, role: Role, path: string): string {
  const what = role === "loader" ? `its interpreter ${path}` : path;
  if (walk.fault === "not-a-directory") return `${what} leads through something that is no directory.`;
  if (walk.links.length > 0)
    return `${what} leads to ${walk.path} (${walk.links.join(", ")}), which is not there.`;
  const carriage = path.endsWith("\r")
    ? " The line ends in a carriage return, which is part of the name."
    : "";
  return `${what.replace("\r", "\\r")} is not in the image.${carriage}`;
}

/** A layer that has `lib64/` as a directory takes the place of a base's link to `usr/lib64`. */
function movedFrom({ files }: Trial, path: string): string | undefined {
  const folder = directoryOf(path);
  const isUsual = /^\/(?:bin|sbin|lib|lib64)$/.test(folder);
  if (!isUsual || files.root.lstat(folder)?.kind !== "directory") return undefined;
  if (files.walk(`/usr${path}`).node === undefined) return undefined;
  return ` /usr${path} is: ${folder} is a directory, where most bases have a link to usr${folder}; a layer may have replaced it.`;
}

function directoryOf(path: string): string {
  return `/${path.split("/")[1] ?? ""}`;
}

/** What whoever wrote the path may have meant: it has words that belong apart, or is a file of the working directory. */
function meant(trial: Trial, role: Role, path: string): string | undefined {
  if (role !== "program") return undefined;
  const apart = wordsApart(path, (first) => isFile(trial, first));
  if (apart !== undefined) return apart;
  const near = `./${baseName(path)}`;
  return near !== path && isFile(trial, near)
    ? `Name ${joinPath(trial.workingDirectory, baseName(path))}, which is there.`
    : undefined;
}

function missingHint(role: Role, path: string): string {
  switch (role) {
    case "program":
      return /^\/(?:usr\/)?bin\/(?:ba|da|a)?sh$/.test(path)
        ? 'Use a base that has a shell, or write the exec form, ENTRYPOINT ["program", "argument"].'
        : "Copy the program to that path, or name the path that it has in the image.";
    case "interpreter":
      return path.endsWith("\r")
        ? "Save the script with LF line ends (sed -i 's/\\r$//')."
        : "Use a base that has the interpreter, or name the path that it has in the image.";
    case "loader":
      return path.includes("ld-musl-")
        ? "Use a base with musl, such as alpine, or link statically."
        : "Use a base with glibc, such as debian, or link statically.";
  }
}

/** For messages: `app (1000)`. */
export function userName({ user }: Trial): string {
  const name = user.name.split(":")[0] ?? "";
  if (name === "") return "root";
  return name === String(user.uid) ? name : `${name} (${user.uid})`;
}
