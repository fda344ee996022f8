import type { BuildEvent } from "@undocked/core";
import type { Io } from "../io.ts";
import { renderDiagnostic, visible, visibleLines } from "./error.ts";
import { jsonText } from "./json.ts";

export const progressModes = ["auto", "tty", "plain", "json"] as const;
export type ProgressMode = (typeof progressModes)[number];

export interface Progress {
  readonly onEvent: (event: BuildEvent) => void;
  /** Shows a line that belongs to no event of the build. */
  readonly note: (line: string) => void;
  /** Clears what is only of the moment. */
  finish(): void;
}

/** Shows a build's events on standard error. `auto` is `tty` on a terminal that can clear a line, else `plain`. */
export function progressDisplay(mode: ProgressMode, io: Io): Progress {
  if (mode === "json") {
    const write = (value: unknown): void => void io.stderr.write(jsonText(value, "one line"));
    return { onEvent: write, note: (text) => write({ kind: "note", text }), finish: () => {} };
  }
  const isTerminal = io.stderr.isTTY === true && io.env["TERM"] !== "dumb";
  return mode === "tty" || (mode === "auto" && isTerminal) ? terminalDisplay(io) : plainDisplay(io);
}

/** Nothing but warnings. */
export function silentDisplay(): Progress {
  return { onEvent: () => {}, note: () => {}, finish: () => {} };
}

function plainDisplay(io: Io): Progress {
  return {
    onEvent: (event) => {
      const line = describe(event);
      if (line !== undefined) io.stderr.write(line);
    },
    note: (line) => io.stderr.write(`${line}\n`),
    finish: () => {},
  };
}

/** Lines as `plain` has them, and below them one that tells what is being sent. */
function terminalDisplay(io: Io): Progress {
  const clear = "\r\u001B[K";
  return {
    onEvent: (event) => {
      if (event.kind === "progress" || event.kind === "stream") {
        const text =
          event.kind === "stream"
            ? `  a layer for ${visible(event.to)}: ${bytes(event.bytes)}`
            : `  ${short(event.content.digest)} ${bytes(event.bytes)} of ${bytes(event.content.size)}`;
        io.stderr.write(`${clear}${text.slice(0, (io.stderr.columns ?? 80) - 1)}`);
        return;
      }
      const line = describe(event);
      if (line !== undefined) io.stderr.write(`${clear}${line}`);
    },
    note: (line) => io.stderr.write(`${clear}${line}\n`),
    finish: () => io.stderr.write(clear),
  };
}

function describe(event: BuildEvent): string | undefined {
  switch (event.kind) {
    case "base":
      return `base ${visible(event.reference)} is ${event.digest}\n`;
    case "index":
      return `reading ${short(event.layer.digest)}, ${bytes(event.layer.size)}, for its file list\n`;
    case "step":
      return `line ${event.line}${event.platform === undefined ? "" : ` (${event.platform})`}: ${visibleLines(event.text)}\n`;
    case "layer":
      return `layer ${short(event.layer.digest)}, ${bytes(event.layer.size)}\n`;
    case "warning":
      return renderDiagnostic(event.warning);
    case "progress":
    case "stream":
      return undefined;
    case "content":
      return `${visible(event.to)}: ${short(event.content.digest)} ${event.how}\n`;
    case "output":
      return `${visible(event.to)} is ${event.root.digest}\n`;
  }
}

function short(digest: string): string {
  return digest.slice(0, digest.indexOf(":") + 13);
}

function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB", "TB"];
  const power = Math.min(units.length, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(1)} ${units[power - 1] ?? ""}`;
}
