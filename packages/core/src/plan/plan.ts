import type { ContainerConfig, Diagnostic, Location, Platform } from "@undocked/registry";

/** What a Dockerfile asks for, decided as far as it can be without looking at a file. */
export interface BuildPlan {
  /** The stages that the target needs, in the order of the text; the last one is the target. */
  readonly stages: readonly StagePlan[];
  /** Of the result. */
  readonly platform: Platform;
  /** Everything that has to be resolved before files are looked at; each key once. */
  readonly requiredBases: readonly RequiredBase[];
  /** Whether a base's configuration was not known, so that this plan is for finding faults and bases only. */
  readonly provisional: boolean;
  /** The instant for all times, in seconds: the build argument SOURCE_DATE_EPOCH or its global default. */
  readonly sourceDateEpoch?: number;
  /** In the order of the text. */
  readonly warnings: readonly Diagnostic[];
}

/** An image or a named context that the plan rests on. */
export interface RequiredBase {
  /** What `bases` of `planStages` and the steps call it. */
  readonly key: string;
  /**
   * `named`: the caller's named context `reference`. One that is no image, such as a directory, has scratch's
   * configuration: `WorkingDir` is `/`.
   */
  readonly kind: "image" | "named";
  /** An image's canonical reference (`docker.io/library/alpine:3`), or the context's name. */
  readonly reference: string;
  /** After expansion, before it was made canonical. */
  readonly written: string;
  readonly platform: Platform;
  /** `from`: its configuration and files are a stage's start; `copy`: only files are read. */
  readonly use: "from" | "copy";
  readonly at: Location;
}

/** One stage of the Dockerfile, with its steps in order and everything expanded. */
export interface StagePlan {
  /** In the text, 0-based. */
  readonly index: number;
  readonly name?: string;
  readonly from: StageBase;
  readonly platform: Platform;
  readonly steps: readonly Step[];
  /** At the stage's end, the base's inherited. */
  readonly config: ContainerConfig;
  readonly author?: string;
  /** Whether the base's configuration was not known. */
  readonly provisional: boolean;
  /** The FROM. */
  readonly at: Location;
}

/** What a stage begins with. */
export type StageBase =
  | { readonly kind: "scratch" }
  | ImageSource
  | { readonly kind: "stage"; readonly index: number }
  | NamedSource;

/** An image of a registry, as `FROM` or `--from` names it. */
export interface ImageSource {
  readonly kind: "image";
  readonly key: string;
  readonly reference: string;
  readonly platform: Platform;
}

/** A named context of the caller's. */
export interface NamedSource {
  readonly kind: "named";
  readonly key: string;
  readonly name: string;
  readonly platform: Platform;
}

/** Where a COPY or ADD reads. `scratch` is an empty tree. */
export type CopySource =
  | { readonly kind: "context" }
  | { readonly kind: "scratch" }
  | { readonly kind: "stage"; readonly index: number }
  | ImageSource
  | NamedSource;

/** One entry of the history, in its order. */
export type Step = CopyStep | AddStep | WorkdirStep | MetadataStep;

interface StepOf<Kind extends string> {
  readonly kind: Kind;
  /** The instruction's first line; for a base's trigger, the FROM. */
  readonly at: Location;
  /** The instruction's last line. */
  readonly endLine: number;
  /** The history's text. */
  readonly createdBy: string;
  /** Whether its words use what only an unknown base could define. */
  readonly provisional: boolean;
  /** The text of the ONBUILD trigger that this is. */
  readonly trigger?: string;
}

interface CopyWords {
  readonly from: CopySource;
  /** Expanded, in order; wildcards are still in them. */
  readonly sources: readonly string[];
  /** Files with their final content; they come after the sources. */
  readonly heredocs: readonly HeredocFile[];
  /** Absolute and cleaned, but a final `/` or `/.` is kept: it says that a directory is meant. */
  readonly destination: string;
  /** `user[:group]`, expanded; names are for the stage's passwd and group. */
  readonly chown?: string;
  /** Octal or symbolic; its syntax has been checked. */
  readonly chmod?: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
}

/** A file whose content stands in the Dockerfile. */
export interface HeredocFile {
  readonly name: string;
  readonly content: string;
}

/** One layer. */
export interface CopyStep extends StepOf<"copy">, CopyWords {}

/** One layer. Local archives are unpacked unless `unpack` is false. */
export interface AddStep extends StepOf<"add">, CopyWords {
  /** Those of `sources` that are http and https. */
  readonly urls: readonly string[];
  /** `algorithm:hex` that the one URL's content must have. */
  readonly checksum?: string;
  readonly unpack?: boolean;
}

/** One layer: makes sure of the directory. `WORKDIR /` is a metadata step. */
export interface WorkdirStep extends StepOf<"workdir"> {
  /** Absolute and cleaned. */
  readonly path: string;
  /** The stage's USER at this point: the owner of directories that are created. */
  readonly user?: string;
}

/** No layer: only the history and the configuration tell of it. */
export interface MetadataStep extends StepOf<"metadata"> {}
