import type { AddInstruction, CopyInstruction } from "../dockerfile/ast.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import { parseChown } from "../dockerfile/chown.ts";
import { cleanPath, resolvePath } from "../dockerfile/clean-path.ts";
import { DockerfileError, WordError } from "../dockerfile/error.ts";
import { isHttpSource, namesGit } from "../dockerfile/git-reference.ts";
import { ignoreMatcher } from "../dockerfile/ignore.ts";
import { checkPattern, hasWildcard } from "../dockerfile/path-match.ts";
import type { HeredocFile } from "./plan.ts";
import type { TaskPlanner } from "./task-planner.ts";
import { goQuote } from "../dockerfile/quote.ts";
import { digestProblem } from "./digest-problem.ts";

/** Plans a COPY or an ADD. */
export function planCopy(instruction: CopyInstruction | AddInstruction, task: TaskPlanner): void {
  const { stage } = task;
  const { link, exclude } = instruction;
  const parents = instruction.kind === "copy" && instruction.parents;
  const words = instruction.sources.map((source) => task.word(source));
  const destination = task.text(instruction.destination);
  const chown = option(instruction.chown, task, (text) => checkOwner(text, link));
  const chmod = option(instruction.chmod, task, parseChmod);
  const heredocs = instruction.heredocs.map(({ name, content, expand }): HeredocFile => {
    // A heredoc's escape is the shell's, whatever the directive says.
    const body = expand ? task.word(content, { quotes: "literal", escape: "\\" }).text : content;
    return { name, content: body };
  });
  const checksum = instruction.kind === "add" ? option(instruction.checksum, task) : undefined;
  const written = words.map(({ text }) => text);
  const settled = words.filter(({ provisional }) => !provisional).map(({ text }) => text);
  checkSources(instruction.kind, settled, parents);
  ignoreMatcher(exclude);
  const isRelative = !destination.startsWith("/");
  if (isRelative && stage.workdirProvisional) task.markProvisional();
  const { source } = task.task;
  if (source === undefined) return;
  if (source.kind === "context") warnOfIgnored(instruction, settled, task);
  const createdBy = [
    instruction.kind.toUpperCase(),
    ...(parents ? ["--parents"] : []),
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ...written,
    ...heredocs.map(({ name }) => `<<${name}`),
    destination,
    "# buildkit",
  ].join(" ");
  const target = absolute(destination, stage.config.workdir);
  stage.context.budget.take(target.length);
  const common = {
    ...task.step(createdBy),
    from: source,
    heredocs,
    destination: target,
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
    link,
    parents,
    exclude,
  };
  if (instruction.kind === "copy") {
    stage.steps.push({ ...common, kind: "copy", sources: written });
    return;
  }
  const urls = written.filter(isHttpSource);
  if (checksum !== undefined) checkChecksum(checksum, urls, written.length, task.provisional);
  stage.steps.push({
    ...common,
    kind: "add",
    sources: written,
    urls,
    ...(checksum === undefined ? {} : { checksum }),
    ...(instruction.unpack === undefined ? {} : { unpack: instruction.unpack }),
  });
}

/** Expanded, and checked unless a base could still change it; what expands to nothing was not given. */
function option(
  text: string | undefined,
  task: TaskPlanner,
  check: (text: string) => unknown = () => undefined,
): string | undefined {
  if (text === undefined) return undefined;
  const word = task.word(text);
  if (word.text === "") return undefined;
  if (!word.provisional) check(word.text);
  return word.text;
}

function checkSources(kind: "add" | "copy", sources: readonly string[], parents: boolean): void {
  for (const source of sources) {
    if (namesGit(source)) {
      if (kind === "copy") throw new WordError("source can't be a git ref for COPY");
      throw new DockerfileError(
        "DOCKERFILE_UNSUPPORTED",
        `ADD of a git repository is not supported: ${source}`,
        { hint: "Clone it before the build and COPY the directory." },
      );
    }
    if (isHttpSource(source)) {
      if (kind === "copy") throw new WordError("source can't be a URL for COPY", "Use ADD.");
      continue;
    }
    if (hasWildcard(source) && !parents) checkPattern(source);
  }
}

function checkOwner(text: string, link: boolean): void {
  const { user, group } = parseChown(text);
  if (link && (typeof user === "string" || typeof group === "string")) {
    throw new WordError(
      `--chown=${text} names an owner, and with --link there is no /etc/passwd to find it in`,
      "Write numbers, or leave --link out.",
    );
  }
}

function checkChecksum(
  checksum: string,
  urls: readonly string[],
  sources: number,
  provisional: boolean,
): void {
  if (sources > 1) throw new WordError("checksum can't be specified for multiple sources");
  if (provisional) return;
  if (urls.length === 0) throw new WordError("checksum requires HTTP(S) or Git sources");
  const problem = digestProblem(checksum);
  if (problem !== undefined) {
    throw new WordError(problem, "Write sha256: and 64 hexadecimal digits.", checksum);
  }
}

function warnOfIgnored(
  { kind, statement, at }: CopyInstruction | AddInstruction,
  sources: readonly string[],
  task: TaskPlanner,
): void {
  const { ignore } = task.stage.context.options;
  if (ignore === undefined) return;
  for (const source of sources) {
    if (isHttpSource(source)) continue;
    const path = cleanPath(source).replace(/^\//, "");
    // Of the context as a whole something is left when an exception names it.
    const isRoot = path === "" || path === ".";
    if (!ignore.ignores(path) || (isRoot && ignore.mayContainIncluded("."))) continue;
    const verb = kind === "copy" ? "Copy" : "Add";
    const message = `Attempting to ${verb} file ${goQuote(source)} that is excluded by .dockerignore`;
    task.report.check("CopyIgnoredFile", message, at, statement);
  }
}

/** Seen from the working directory; a final `/` or `/.` says that a directory is meant, and stays. */
function absolute(destination: string, workdir: string): string {
  const path = resolvePath(workdir, destination);
  if (path === "/") return path;
  const [ending = ""] = /\/\.?$/.exec(destination) ?? [];
  // Nothing, or a dot, is the working directory itself.
  return destination === "" || destination === "." || destination === "./" ? `${path}/` : path + ending;
}
