import { spawn } from "node:child_process";
import { z } from "zod";
import { CredentialError } from "./credential-error.ts";
import { credentialOf } from "./config-file.ts";
import type { Credential } from "./credential.ts";

/** How a helper program ended. */
export type HelperOutcome =
  | { readonly kind: "exit"; readonly code: number; readonly stdout: string }
  | { readonly kind: "killed" }
  | { readonly kind: "timeout" }
  | { readonly kind: "too-large" }
  | { readonly kind: "not-found" };

/** Runs `docker-credential-<name> <action>` with an input: for `get` and `erase` the key, for `store` the login as JSON. */
export type HelperRunner = (
  program: string,
  input: string,
  signal?: AbortSignal,
  action?: "get" | "store" | "erase",
) => Promise<HelperOutcome>;

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** Whether a helper's name can be part of a program's: it comes from a file. */
export function isHelperName(name: string): boolean {
  return NAME.test(name);
}

/**
 * Asks a credential helper (docker-credential-helpers' protocol). `undefined`: it has none for the key.
 *
 * @throws {CredentialError} never with the helper's secrets
 */
export async function askHelper(
  name: string,
  key: string,
  run: HelperRunner = runHelper,
  signal?: AbortSignal,
): Promise<Credential | undefined> {
  const program = programOf(name);
  return readHelperOutcome(program, await run(program, key, signal));
}

function programOf(name: string): string {
  if (isHelperName(name)) return `docker-credential-${name}`;
  throw new CredentialError(
    "CREDENTIAL_HELPER_NOT_FOUND",
    `${JSON.stringify(name.slice(0, 100))} is not a credential helper's name.`,
    { hint: "Look at credsStore and credHelpers in docker's config.json." },
  );
}

/** Hands a login to a helper, to be kept. */
export async function storeByHelper(
  name: string,
  login: { readonly key: string; readonly username: string; readonly secret: string },
  run: HelperRunner = runHelper,
): Promise<void> {
  const { key, username, secret } = login;
  const input = JSON.stringify({ ServerURL: key, Username: username, Secret: secret });
  const outcome = await run(programOf(name), input, undefined, "store");
  if (outcome.kind === "exit" && outcome.code === 0) return;
  // What it says may hold what it was given.
  readHelperOutcome(programOf(name), outcome.kind === "exit" ? { ...outcome, stdout: "" } : outcome);
}

/** @returns whether the helper had a login for the key */
export async function eraseByHelper(
  name: string,
  key: string,
  run: HelperRunner = runHelper,
): Promise<boolean> {
  const outcome = await run(programOf(name), key, undefined, "erase");
  if (outcome.kind === "exit" && outcome.code === 0) return true;
  readHelperOutcome(programOf(name), outcome);
  return false;
}

/** What docker's helpers print, and exit with 1, for a key that they do not have. */
const NOT_FOUND = "credentials not found in native keychain";

/** Go's reader takes the names in any case. */
const answer = z.record(z.string(), z.unknown()).transform((fields) => {
  const lower = new Map(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]));
  const string = (name: string): string => {
    const value = lower.get(name);
    return typeof value === "string" ? value : "";
  };
  return { username: string("username"), secret: string("secret") };
});

export function readHelperOutcome(program: string, outcome: HelperOutcome): Credential | undefined {
  switch (outcome.kind) {
    case "not-found":
      throw new CredentialError(
        "CREDENTIAL_HELPER_NOT_FOUND",
        `The credential helper ${program} is not installed.`,
        { hint: "Install it, or remove it from docker's config.json." },
      );
    case "timeout":
      throw new CredentialError(
        "CREDENTIAL_HELPER_TIMEOUT",
        `The credential helper ${program} did not answer in ${TIME_LIMIT_MS / 1000} seconds.`,
        { hint: "Run it by hand; it may wait for somebody to unlock a key chain." },
      );
    case "too-large":
      throw badOutput(program, `prints more than ${OUTPUT_LIMIT} bytes`);
    case "killed":
      throw failed(program, "");
    case "exit":
      return outcome.code === 0 ? readAnswer(program, outcome.stdout) : readFailure(program, outcome.stdout);
  }
}

function readFailure(program: string, stdout: string): undefined {
  if (stdout.trim() === NOT_FOUND) return undefined;
  const [line = ""] = stdout.trim().split(/[\r\n]/, 1);
  // What looks like an answer may hold the secret.
  throw failed(program, /[{}"]/.test(line) ? "" : line.replaceAll(/\p{Cc}/gu, "").slice(0, 200));
}

function readAnswer(program: string, stdout: string): Credential | undefined {
  let json: unknown;
  try {
    json = JSON.parse(stdout);
  } catch {
    throw badOutput(program, "does not print JSON");
  }
  const parsed = answer.safeParse(json);
  if (!parsed.success) throw badOutput(program, "does not print an object");
  const { username, secret } = parsed.data;
  return secret === "" ? undefined : credentialOf({ username, password: secret });
}

function failed(program: string, said: string): CredentialError {
  return new CredentialError(
    "CREDENTIAL_HELPER_FAILED",
    said === ""
      ? `The credential helper ${program} ended with a failure.`
      : `The credential helper ${program}: ${said}`,
    { hint: `Run it by hand: echo HOST | ${program} get` },
  );
}

function badOutput(program: string, what: string): CredentialError {
  return new CredentialError("CREDENTIAL_HELPER_OUTPUT", `The credential helper ${program} ${what}.`, {
    hint: "Update the helper.",
  });
}

const TIME_LIMIT_MS = 30_000;
const OUTPUT_LIMIT = 1024 * 1024;

/** Without a shell: name and key come from files and references. */
export const runHelper: HelperRunner = (program, input, signal, action = "get") =>
  new Promise((resolve, reject) => {
    const child = spawn(program, [action], {
      stdio: ["pipe", "pipe", "ignore"],
      shell: false,
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let settled = false;
    const settle = (outcome: HelperOutcome): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      child.kill("SIGKILL");
      child.stdout.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle({ kind: "timeout" }), TIME_LIMIT_MS);
    const abort = (): void => {
      settle({ kind: "killed" });
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    child.on("error", (error: NodeJS.ErrnoException) => {
      settle(error.code === "ENOENT" || error.code === "EACCES" ? { kind: "not-found" } : { kind: "killed" });
    });
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > OUTPUT_LIMIT) settle({ kind: "too-large" });
      else chunks.push(chunk);
    });
    child.on("close", (code) => {
      const stdout = Buffer.concat(chunks).toString("utf8");
      settle(code === null ? { kind: "killed" } : { kind: "exit", code, stdout });
    });
    // A helper that ends before it reads is told by its exit.
    child.stdin.on("error", () => undefined);
    child.stdin.end(action === "store" ? input : `${input}\n`);
  });
