import type { IncomingMessage, ServerResponse } from "node:http";
import { answering, brokenReply, distribution, type Answer } from "./answer.ts";
import { guard } from "./auth.ts";
import type { Call } from "./call.ts";
import { directoryStorage } from "./directory-storage.ts";
import { armed, Cut, withFaults, type Fault } from "./faults.ts";
import { credentialKind, remember, type LoggedRequest } from "./log.ts";
import { memoryStorage } from "./memory-storage.ts";
import type { Reply } from "./reply.ts";
import { Disconnected, respond } from "./respond.ts";
import type { Storage } from "./storage.ts";
import { uploads } from "./uploads.ts";
import type { RegistryAuth } from "./users.ts";

/** What a registry keeps, who may do what, and what goes wrong. */
export interface RegistryServerOptions {
  /**
   * A directory, which may have been used before; `"memory"`; or one of `memoryStorage()` and `directoryStorage()`, to be
   * shared by several registries. Default: memory.
   */
  readonly storage?: string | Storage;
  /** Whom it serves. Default: everybody. */
  readonly auth?: RegistryAuth;
  /** How it misbehaves from the beginning. Default: not at all. */
  readonly faults?: readonly Fault[];
}

/** A registry that answers requests of a Node HTTP server. */
export interface RegistryServer {
  /** Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** What was asked so far, oldest first; the last 10,000. */
  readonly requests: readonly LoggedRequest[];
  /** Makes it misbehave from now on; gives what ends that. */
  inject(...faults: readonly Fault[]): () => void;
  /** Uploads that were begun and are neither finished nor cancelled. */
  openUploads(): number;
  /** Forgets the uploads under way. */
  close(): Promise<void>;
}

/** Makes a registry to be put behind an HTTP server of one's own; `startRegistry` brings one. */
export async function registryServer(options: RegistryServerOptions = {}): Promise<RegistryServer> {
  const { storage: place = "memory", auth, faults: initial = [], ...unknown } = options;
  for (const name of Object.keys(unknown)) throw new TypeError(`${name} is not an option of a registry.`);
  const storage = await openStorage(place);
  const sessions = uploads(storage);
  const faults = new Set(initial.map(armed));
  const answerFor = (whom: RegistryAuth | undefined): Answer =>
    answering(distribution(storage, sessions, guard(whom)));
  const answer = withFaults(answerFor(auth), answerFor(undefined), faults);
  const requests: LoggedRequest[] = [];

  return {
    async handle(request, response) {
      const entry = logEntry(request);
      const send = async (reply: Reply): Promise<void> => {
        entry.status = reply.status;
        // Before the answer is on its way: who has it finds it here.
        remember(requests, entry);
        await respond(reply, response, (bytes) => (entry.bytesSent += bytes));
      };
      try {
        await send(await answer(callOf(request, (bytes) => (entry.bytesReceived += bytes))));
      } catch (error) {
        if (!isDisconnect(error)) entry.error = error;
        if (response.headersSent || response.destroyed || error instanceof Cut) {
          if (!response.headersSent) remember(requests, entry);
          response.destroy();
        } else {
          await send(brokenReply()).catch(() => response.destroy());
        }
      }
    },
    requests,
    inject(...injected) {
      const own = injected.map(armed);
      for (const fault of own) faults.add(fault);
      return () => {
        for (const fault of own) faults.delete(fault);
      };
    },
    openUploads: () => sessions.size(),
    close: () => sessions.discardAll(),
  };
}

async function openStorage(storage: string | Storage): Promise<Storage> {
  if (typeof storage !== "string") return storage;
  return storage === "memory" ? memoryStorage() : directoryStorage(storage);
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function logEntry(request: IncomingMessage): Writable<LoggedRequest> {
  return {
    method: request.method ?? "GET",
    path: request.url ?? "/",
    status: 0,
    credential: credentialKind(request.headers),
    bytesReceived: 0,
    bytesSent: 0,
  };
}

function callOf(request: IncomingMessage, onReceived: (bytes: number) => void): Call {
  const target = request.url ?? "/";
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const body = async function* (): AsyncGenerator<Uint8Array, void, void> {
    const chunks: AsyncIterable<Uint8Array> = request;
    for await (const chunk of chunks) {
      onReceived(chunk.byteLength);
      yield chunk;
    }
  };
  const scheme = "encrypted" in request.socket ? "https" : "http";
  return {
    method: request.method ?? "GET",
    path,
    target,
    query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
    headers: request.headers,
    body: body(),
    origin: `${scheme}://${hostOf(request)}`,
  };
}

/** What the client wrote goes into challenges and Locations: only what has a host's form. */
function hostOf({ headers: { host } }: IncomingMessage): string {
  return host !== undefined && /^[\w.:[\]-]{1,255}$/.test(host) && URL.canParse(`http://${host}`)
    ? host
    : "localhost";
}

/** A client that goes away is no failure of ours, nor is a fault that was asked for. */
function isDisconnect(error: unknown): boolean {
  if (error instanceof Cut || error instanceof Disconnected) return true;
  const codes: readonly unknown[] = ["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE", "EPIPE"];
  return error instanceof Error && "code" in error && codes.includes(error.code);
}
