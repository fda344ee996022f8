import { baseName } from "../context/path.ts";
import type { FileFormat } from "../elf/format.ts";
import { lookPath } from "./look-path.ts";
import { userName } from "./reach.ts";
import {
  closedDirectory,
  fromWorkingDirectory,
  mountOver,
  report,
  severityOfMissing,
  type Cause,
  type Trial,
} from "./trial.ts";
import { may } from "./user.ts";

/** What a program that reads scripts is told to read. */
export interface ReadScript {
  /** As given; relative to the working directory. */
  readonly file: string;
  /** Endings that the program tries behind the name; `/index.js` stands for what it wants of a directory. */
  readonly endings: readonly string[];
  /** A name without a slash is sought in PATH too, by some shells. */
  readonly inPath?: boolean;
  /** Archives, and whatever else is no text, are no scripts for it. */
  readonly wantsText: boolean;
}

const texts: ReadonlySet<FileFormat> = new Set(["text", "script", "script-indented", "empty"]);

/** A program that reads scripts opens the file that it is told to read, as its user. */
export async function readScript(
  trial: Trial,
  cause: Cause,
  reader: string,
  { file, endings, inPath = false, wantsText }: ReadScript,
): Promise<void> {
  const next: Cause = { ...cause, chain: [...cause.chain, file] };
  const walks = ["", ...endings].map((ending) =>
    trial.files.walk(fromWorkingDirectory(trial, `${file}${ending}`)),
  );
  // `/dev/stdin` and the like.
  if (mountOver(walks[0]?.path ?? "") !== undefined) return;
  const walk = walks.find(({ node }) => node?.kind === "file");
  if (walk?.node === undefined) {
    if (inPath && !file.includes("/") && lookPath(trial, file, cause.environment).kind === "found") return;
    const there = walks[0]?.node;
    // What a device or a FIFO would give, nobody can say.
    if (there !== undefined && there.kind !== "directory") return;
    // Some shells take a directory for an empty script.
    const isCertain = there === undefined || endings.some((ending) => ending.startsWith("/"));
    const severity = isCertain ? severityOfMissing(trial, cause, walks[0]?.path ?? file) : "warning";
    report(
      trial,
      { ...next, severity },
      {
        code: "SCRIPT_NOT_FOUND",
        prediction: isCertain ? `would fail (${reader} ends with an error)` : "could fail",
        message: `${reader} is to read ${file}, which is ${there === undefined ? "not there" : "a directory"}.`,
        hint: "Copy the script to that path, or name the path that it has in the image.",
      },
    );
    return;
  }
  const closed = closedDirectory(trial, walk);
  if (closed !== undefined || !may(trial.user, 4, walk.node)) {
    report(trial, next, {
      code: "SCRIPT_UNREADABLE",
      prediction: `would fail (${reader} ends with an error)`,
      message:
        closed === undefined
          ? `the user ${userName(trial)} may not read ${file}, which ${reader} does.`
          : `the user ${userName(trial)} may not look into ${closed}, on the way to ${file}, which ${reader} reads.`,
      hint: closed === undefined ? "Copy it with COPY --chmod=755." : `Give ${closed} mode 0755.`,
    });
    return;
  }
  trial.steps.push({ kind: "script", path: file, file: walk.path, detail: `read by ${reader}` });
  const { format } = await trial.files.facts(walk.path);
  if (format === "elf" || (wantsText && !texts.has(format))) {
    // A shell may come through the first lines of what is no ELF file.
    const severity = format === "elf" ? cause.severity : "warning";
    report(
      trial,
      { ...next, severity },
      {
        code: "SCRIPT_NOT_TEXT",
        prediction: format === "elf" ? `would fail (${reader} ends with an error)` : "could fail",
        message: `${reader} is to read ${file}, which is no script: its format is ${format}.`,
        hint: `Start ${file} itself, without ${reader}.`,
      },
    );
  }
}

/** What the arguments of a program that reads scripts make it read; `undefined`: none, or nobody can say. */
export function scriptOf(path: string, args: readonly string[]): ReadScript | undefined {
  const reader = readers.find(({ names }) => names.test(baseName(path)));
  if (reader === undefined) return undefined;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (reader.fileOption !== undefined && reader.fileOption === arg) {
      const file = args[at + 1];
      return file === undefined ? undefined : { file, endings: reader.endings, wantsText: false };
    }
    if (reader.valued.includes(arg)) at++;
    else if (arg === "--" && reader.fileOption === undefined) continue;
    else if (arg.startsWith("-") && arg !== "-") {
      if (!reader.plain.test(arg)) return undefined;
    } else {
      const isFile = reader.fileOption === undefined && arg !== "-" && reader.files.test(arg);
      return isFile ? { file: arg, endings: reader.endings, wantsText: false } : undefined;
    }
  }
  return undefined;
}

/** A program, and as much of its command line as is needed to find the file in it. */
interface Reader {
  readonly names: RegExp;
  /** Options that stand alone, or have their value in the same word. */
  readonly plain: RegExp;
  /** Options whose value is the next word. */
  readonly valued: readonly string[];
  /** The option in front of the file. Default: the file is the first word that is no option. */
  readonly fileOption?: string;
  /** Words that are files; others are commands of the program. */
  readonly files: RegExp;
  readonly endings: readonly string[];
}

const readers: readonly Reader[] = [
  {
    names: /^node(?:js)?$/,
    plain: /^--(?:[\w-]+=.*|enable-source-maps|expose-gc|inspect|no-warnings|no-deprecation|trace-warnings)$/,
    valued: ["-r", "--require", "--import", "-C", "--conditions"],
    files: /^(?!inspect$)/,
    endings: [".js", ".json", ".node", "/package.json", "/index.js", "/index.json", "/index.node"],
  },
  {
    names: /^python(?:\d(?:\.\d+)?)?$/,
    plain: /^-(?:[bBdEIOqsSuvxP]+|[WX].+)$/,
    valued: ["-W", "-X"],
    files: /^/,
    endings: ["/__main__.py"],
  },
  { names: /^perl(?:5[\d.]*)?$/, plain: /^-(?:[wWTtU]+|I.+)$/, valued: ["-I"], files: /^/, endings: [] },
  {
    names: /^ruby(?:[\d.]+)?$/,
    plain: /^-(?:w|W\d?|v|[IrE].+)$/,
    valued: ["-I", "-r", "-E"],
    files: /^/,
    endings: [],
  },
  { names: /^php(?:[\d.]+)?$/, plain: /^-(?:n|q|[dc].+)$/, valued: ["-d", "-c"], files: /^/, endings: [] },
  {
    names: /^java$/,
    plain: /^-(?:X|D|ea|esa|da|dsa|server|client|agent|javaagent|-enable-|-add-[\w-]+=|-[\w-]+=)/,
    valued: [
      "-cp",
      "-classpath",
      "--class-path",
      "-p",
      "--module-path",
      "--add-modules",
      "--add-opens",
      "--add-exports",
      "--add-reads",
    ],
    fileOption: "-jar",
    files: /^/,
    endings: [],
  },
  { names: /^dotnet$/, plain: /^$/, valued: [], files: /\.dll$/, endings: [] },
];
