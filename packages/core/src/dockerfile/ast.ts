import type { Diagnostic, Location } from "@undocked/registry";
import type { CheckOptions } from "./check-options.ts";

/** What a text says: stages of instructions, each with its place. */
export interface Dockerfile {
  /** As the caller named it. */
  readonly file: string;
  /** The text's lines without their ends; line 1 is `lines[0]`. */
  readonly lines: readonly string[];
  /** What continues a line and takes the next character literally. */
  readonly escape: Escape;
  /** The `# syntax=` directive: recorded, and of no effect. */
  readonly syntax?: SyntaxDirective;
  /** The `# check=` directive. */
  readonly check?: CheckOptions;
  /** Every instruction as its line says it, before its meaning is looked at. */
  readonly statements: readonly Statement[];
  /** The ARGs before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  /** What the text alone gives reason to warn of. */
  readonly warnings: readonly Diagnostic[];
}

/** The character of `# escape=`. */
export type Escape = "\\" | "`";

/** `# syntax=`: the front end that the file asks for, which is read and not used. */
export interface SyntaxDirective {
  /** The front end's image, as written up to the first blank. */
  readonly reference: string;
  readonly at: Location;
}

/** One instruction and its arguments in the form that its keyword asks for. */
export interface Statement {
  /** In upper case. */
  readonly keyword: string;
  /** The keyword as it was written. */
  readonly written: string;
  /** The logical line: continuations joined, comments dropped. */
  readonly original: string;
  /** What follows the keyword, untouched. */
  readonly rest: string;
  readonly flags: readonly string[];
  /** For ENV and LABEL: key, value, separator (`=`, or "" for the old form), again and again. */
  readonly args: readonly string[];
  /** Whether the arguments were a JSON array. */
  readonly json: boolean;
  readonly heredocs: readonly Heredoc[];
  /** The comments right above, trimmed, without `#`. */
  readonly comments: readonly string[];
  /** The first line. */
  readonly at: Location;
  /** The last line, a heredoc's end included; 1-based. */
  readonly endLine: number;
  /** What an ONBUILD would do. */
  readonly child?: Statement;
}

/** A here-document of COPY, ADD or RUN. */
export interface Heredoc {
  readonly name: string;
  /** In a statement as it stands in the text; in COPY and ADD without the tabs that `chomp` takes away. */
  readonly content: string;
  /** The number before `<<`, else 0. */
  readonly fd: number;
  /** Whether variables in it are expanded: its name was not quoted. */
  readonly expand: boolean;
  /** `<<-`: the leading tabs of each line are not part of it. */
  readonly chomp: boolean;
}

/** FROM and what follows it, up to the next FROM. */
export interface Stage {
  readonly index: number;
  /** In lower case. */
  readonly name?: string;
  /** What a comment `# <name> <text>` above the FROM says. */
  readonly description?: string;
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

/** Every instruction of a stage, told apart by `kind`. */
export type Instruction = FromInstruction | StageInstruction;

/** What may stand below a FROM, told apart by `kind`. */
export type StageInstruction =
  | AddInstruction
  | ArgInstruction
  | CmdInstruction
  | CopyInstruction
  | EntrypointInstruction
  | EnvInstruction
  | ExposeInstruction
  | HealthcheckInstruction
  | LabelInstruction
  | MaintainerInstruction
  | OnbuildInstruction
  | RunInstruction
  | ShellInstruction
  | StopsignalInstruction
  | UserInstruction
  | VolumeInstruction
  | WorkdirInstruction;

interface InstructionOf<Kind extends string> {
  readonly kind: Kind;
  readonly at: Location;
  readonly statement: Statement;
}

/** Texts here are as written: nothing is expanded. */
export interface FromInstruction extends InstructionOf<"from"> {
  readonly base: string;
  readonly platform?: string;
  /** The name as written, before it is lowered. */
  readonly as?: string;
}

/** `key=value` as it is written, before variables are put in place. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** `ARG key[=value]…` */
export interface ArgInstruction extends InstructionOf<"arg"> {
  readonly args: readonly { readonly key: string; readonly value?: string }[];
}

/** `ENV key=value…` */
export interface EnvInstruction extends InstructionOf<"env"> {
  readonly pairs: readonly KeyValue[];
}

/** `LABEL key=value…` */
export interface LabelInstruction extends InstructionOf<"label"> {
  readonly pairs: readonly KeyValue[];
}

interface CopyArguments {
  /** Without the heredocs. */
  readonly sources: readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly destination: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

/** `COPY [--from=…] source… destination` */
export interface CopyInstruction extends InstructionOf<"copy">, CopyArguments {
  /** A stage's name or index, an image or a named context; absent: the build context. */
  readonly from?: string;
  readonly parents: boolean;
}

/** `ADD [--checksum=…] source… destination` */
export interface AddInstruction extends InstructionOf<"add">, CopyArguments {
  readonly checksum?: string;
  readonly keepGitDir: boolean;
  /** Absent: local archives are unpacked, fetched ones are not. */
  readonly unpack?: boolean;
}

/** A command line: exec form, or the text for the shell. */
export type CommandLine =
  | { readonly form: "exec"; readonly words: readonly string[] }
  | { readonly form: "shell"; readonly text: string };

/** `CMD`, in exec or shell form. */
export interface CmdInstruction extends InstructionOf<"cmd"> {
  readonly command: CommandLine;
}

/** `ENTRYPOINT`, in exec or shell form. */
export interface EntrypointInstruction extends InstructionOf<"entrypoint"> {
  readonly command: CommandLine;
}

/** `RUN`, which is read and never carried out. */
export interface RunInstruction extends InstructionOf<"run"> {
  readonly command: CommandLine;
  readonly heredocs: readonly Heredoc[];
}

/** `SHELL`: what shell forms after it are given to. */
export interface ShellInstruction extends InstructionOf<"shell"> {
  readonly words: readonly string[];
}

/** `EXPOSE port[/protocol]…` */
export interface ExposeInstruction extends InstructionOf<"expose"> {
  readonly ports: readonly string[];
}

/** `VOLUME path…` */
export interface VolumeInstruction extends InstructionOf<"volume"> {
  readonly paths: readonly string[];
}

/** `WORKDIR path` */
export interface WorkdirInstruction extends InstructionOf<"workdir"> {
  readonly path: string;
}

/** `USER user[:group]` */
export interface UserInstruction extends InstructionOf<"user"> {
  readonly user: string;
}

/** `STOPSIGNAL signal` */
export interface StopsignalInstruction extends InstructionOf<"stopsignal"> {
  readonly signal: string;
}

/** `MAINTAINER name`, which has been deprecated for long. */
export interface MaintainerInstruction extends InstructionOf<"maintainer"> {
  readonly maintainer: string;
}

/** Durations are nanoseconds, 0 when not given. */
export interface HealthcheckInstruction extends InstructionOf<"healthcheck"> {
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** `ONBUILD instruction`: for builds that begin with this image. */
export interface OnbuildInstruction extends InstructionOf<"onbuild"> {
  /** The trigger's text, heredoc bodies included. */
  readonly expression: string;
}
