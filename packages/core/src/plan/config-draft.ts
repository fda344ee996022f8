import type { ContainerConfig, Healthcheck } from "@undocked/registry";

/** What every Linux stage can rely on (moby's default). */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];
const WINDOWS_SHELL: readonly string[] = ["cmd", "/S", "/C"];

/** What a configuration begins with: a base's, or what another stage has made of its own. */
export type ConfigStart = Pick<
  ConfigDraft,
  "author" | "cmd" | "entrypoint" | "healthcheck" | "shell" | "size" | "stopSignal" | "user" | "workdir"
> & {
  readonly env: Iterable<readonly [string, string]>;
  readonly labels: Iterable<readonly [string, string]>;
  readonly ports: Iterable<string>;
  readonly volumes: Iterable<string>;
};

/** An image's configuration as the start of a stage. */
export function configStart(base: ContainerConfig, author?: string): ConfigStart {
  const env = (base.Env ?? []).map((entry) => {
    const equals = entry.indexOf("=");
    return equals < 0 ? ([entry, ""] as const) : ([entry.slice(0, equals), entry.slice(equals + 1)] as const);
  });
  const labels = Object.entries(base.Labels ?? {});
  const ports = Object.keys(base.ExposedPorts ?? {});
  const volumes = Object.keys(base.Volumes ?? {});
  return {
    env,
    labels,
    ports,
    volumes,
    size: env.length + labels.length + ports.length + volumes.length,
    user: base.User,
    entrypoint: base.Entrypoint,
    cmd: base.Cmd,
    healthcheck: base.Healthcheck,
    workdir: base.WorkingDir ?? "",
    stopSignal: base.StopSignal,
    shell: base.Shell,
    author,
  };
}

/** A container's configuration while a stage's instructions change it. */
export class ConfigDraft {
  readonly env: Map<string, string>;
  readonly labels: Map<string, string>;
  readonly ports: Set<string>;
  readonly volumes: Set<string>;
  readonly os: string;
  user: string | undefined;
  entrypoint: readonly string[] | undefined;
  cmd: readonly string[] | undefined;
  healthcheck: Healthcheck | undefined;
  /** As it is stored: "" when nobody has set one. */
  workdir: string;
  stopSignal: string | undefined;
  shell: readonly string[] | undefined;
  readonly onbuild: string[] = [];
  author: string | undefined;

  /** Inherits everything but the triggers, which have been run. */
  constructor(start: Omit<ConfigStart, "size">, os: string) {
    this.os = os;
    this.env = new Map(start.env);
    if (os !== "windows" && !this.env.has("PATH")) this.env.set("PATH", DEFAULT_PATH);
    this.labels = new Map(start.labels);
    this.ports = new Set(start.ports);
    this.volumes = new Set(start.volumes);
    this.user = start.user;
    this.entrypoint = start.entrypoint;
    this.cmd = start.cmd;
    this.healthcheck = start.healthcheck;
    this.workdir = start.workdir;
    this.stopSignal = start.stopSignal;
    this.shell = start.shell;
    this.author = start.author;
  }

  /** How many things with a name a stage that begins with this one inherits. */
  get size(): number {
    return this.env.size + this.labels.size + this.ports.size + this.volumes.size;
  }

  /** What runs a command that is a text. */
  get commandShell(): readonly string[] {
    return this.shell ?? (this.os === "windows" ? WINDOWS_SHELL : DEFAULT_SHELL);
  }

  /** With its keys in the image format's order; what is empty is absent. */
  finish(): ContainerConfig {
    return {
      ...(this.user === undefined || this.user === "" ? {} : { User: this.user }),
      ...(this.ports.size === 0 ? {} : { ExposedPorts: setOf(this.ports) }),
      ...(this.env.size === 0 ? {} : { Env: Array.from(this.env, ([key, value]) => `${key}=${value}`) }),
      ...list("Entrypoint", this.entrypoint),
      ...list("Cmd", this.cmd),
      ...(this.healthcheck === undefined ? {} : { Healthcheck: this.healthcheck }),
      ...(this.volumes.size === 0 ? {} : { Volumes: setOf(this.volumes) }),
      ...(this.workdir === "" ? {} : { WorkingDir: this.workdir }),
      ...(this.labels.size === 0 ? {} : { Labels: recordOf(this.labels) }),
      ...(this.stopSignal === undefined || this.stopSignal === "" ? {} : { StopSignal: this.stopSignal }),
      ...list("Shell", this.shell),
      ...list("OnBuild", [...this.onbuild]),
    };
  }
}

function list<Key extends "Cmd" | "Entrypoint" | "OnBuild" | "Shell">(
  key: Key,
  words: readonly string[] | undefined,
): { [K in Key]?: readonly string[] } {
  const result: { [K in Key]?: readonly string[] } = {};
  if (words !== undefined && words.length > 0) result[key] = words;
  return result;
}

/** Sorted, as Go writes a map: the same ports give the same bytes. */
function setOf(names: Iterable<string>): Record<string, object> {
  return Object.fromEntries([...names].sort().map((name) => [name, {}]));
}

function recordOf(entries: Iterable<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
