import type { ContainerConfig, Healthcheck } from "@undocked/registry";

/** What every Linux stage can rely on (moby's default). */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];
const WINDOWS_SHELL: readonly string[] = ["cmd", "/S", "/C"];

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
  onbuild: readonly string[] = [];
  author: string | undefined;

  /** Inherits everything but the triggers, which have been run. */
  constructor(base: ContainerConfig, os: string) {
    this.os = os;
    this.env = new Map(
      (base.Env ?? []).map((entry) => {
        const equals = entry.indexOf("=");
        return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
      }),
    );
    if (os !== "windows" && !this.env.has("PATH")) this.env.set("PATH", DEFAULT_PATH);
    this.labels = new Map(Object.entries(base.Labels ?? {}));
    this.ports = new Set(Object.keys(base.ExposedPorts ?? {}));
    this.volumes = new Set(Object.keys(base.Volumes ?? {}));
    this.user = base.User;
    this.entrypoint = base.Entrypoint;
    this.cmd = base.Cmd;
    this.healthcheck = base.Healthcheck;
    this.workdir = base.WorkingDir ?? "";
    this.stopSignal = base.StopSignal;
    this.shell = base.Shell;
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
      ...list("OnBuild", this.onbuild),
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
