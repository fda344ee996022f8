import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "./answer.ts";
import type { Call } from "./call.ts";
import { credentialRefusal, isSigned, redirectToStorage } from "./elsewhere.ts";
import { credentialKind, type CredentialKind } from "./log.ts";
import { Refusal, refusalReply, type Reply, type RegistryCode } from "./reply.ts";

/** A request as faults see it. */
export interface FaultyRequest {
  readonly method: string;
  /** With its query, as sent. */
  readonly path: string;
  readonly credential: CredentialKind;
}

/** Which requests a fault befalls. Default: all. */
export interface FaultMatch {
  readonly method?: string;
  /** Looked for in the path with its query. */
  readonly path?: RegExp;
  readonly when?: (request: FaultyRequest) => boolean;
  /** How often, before it is gone. Default: always. */
  readonly times?: number;
}

/** How a registry is made to misbehave, for the tests of its clients. */
export type Fault = FaultMatch & FaultKind;

/** What goes wrong with a request. */
export type FaultKind =
  | { readonly kind: "delay"; readonly ms: number }
  /** Answers with an error instead, as 429 with `retryAfter`, or 503. */
  | {
      readonly kind: "status";
      readonly status: number;
      /** Seconds or an HTTP date. */
      readonly retryAfter?: string;
    }
  /** Ends the connection after so many bytes of the answer's body; `nothing`: before its first byte. */
  | { readonly kind: "cut"; readonly after: number | "nothing" }
  /** Ends the connection once so many bytes of the request's body have been taken. */
  | { readonly kind: "cut-upload"; readonly after: number }
  /** Changes a bit in each chunk of the answer's body. */
  | { readonly kind: "corrupt" }
  /** Changes the answer's headers, named in lower case; `null` takes one away. For a wrong digest, size or type. */
  | { readonly kind: "headers"; readonly headers: Readonly<Record<string, string | null>> }
  /** Sends the client to the same path of another origin. */
  | { readonly kind: "redirect"; readonly to: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** Makes Locations absolute: on the origin that was asked, or on another. */
  | { readonly kind: "location"; readonly origin?: string }
  /**
   * Gives blobs out by signed URLs of another origin, at which a credential is an error: as from S3 or a content network. The
   * origin is this server under another loopback name.
   */
  | { readonly kind: "storage" }
  /** Refuses a piece that says its place (`Content-Range`) and is larger, with 416. */
  | { readonly kind: "chunk-limit"; readonly bytes: number }
  /** Takes a mount for the beginning of an upload, which the specification allows. */
  | { readonly kind: "no-mount" };

/** Ends the connection on purpose. */
export class Cut extends Error {}

/** A fault, and how often it will still happen. */
export interface ArmedFault {
  readonly fault: Fault;
  left: number;
}

export function armed(fault: Fault): ArmedFault {
  return { fault, left: fault.times ?? Number.POSITIVE_INFINITY };
}

/**
 * Puts the faults that match a request between it and its answer.
 *
 * @param unguarded - answers whom a signed URL was given to
 */
export function withFaults(answer: Answer, unguarded: Answer, faults: Set<ArmedFault>): Answer {
  const signature = randomUUID();
  return async (call) => {
    const taken = takeFaults(faults, call);
    const isAtStorage = taken.some(({ kind }) => kind === "storage") && isSigned(call, signature);
    let request = call;
    for (const fault of taken) {
      const early = await before(fault, request, isAtStorage);
      if (early !== undefined) return early;
      request = changedCall(fault, request);
    }
    let reply = await (isAtStorage ? unguarded : answer)(request);
    for (const fault of taken) {
      reply =
        fault.kind === "storage"
          ? await redirectToStorage(call, reply, signature)
          : changedReply(fault, call, reply);
    }
    return reply;
  };
}

function takeFaults(faults: Set<ArmedFault>, call: Call): readonly Fault[] {
  const request = { method: call.method, path: call.target, credential: credentialKind(call.headers) };
  const taken: Fault[] = [];
  for (const armed of faults) {
    const { method = call.method, path, when } = armed.fault;
    if (method !== call.method || path?.test(call.target) === false || when?.(request) === false) continue;
    taken.push(armed.fault);
    armed.left -= 1;
    if (armed.left <= 0) faults.delete(armed);
  }
  return taken;
}

/** What comes instead of the answer. */
async function before(fault: Fault, call: Call, isAtStorage: boolean): Promise<Reply | undefined> {
  switch (fault.kind) {
    case "delay":
      await sleep(fault.ms);
      return undefined;
    case "status": {
      const { status, retryAfter } = fault;
      const headers = retryAfter === undefined ? {} : { "retry-after": retryAfter };
      return refusalReply(new Refusal(status, codeOf(status), "A fault that was asked for.", { headers }));
    }
    case "storage":
      return isAtStorage ? credentialRefusal(call) : undefined;
    case "chunk-limit":
      if (call.headers["content-range"] === undefined) return undefined;
      if (Number(call.headers["content-length"] ?? Number.NaN) <= fault.bytes) return undefined;
      return refusalReply(
        new Refusal(416, "BLOB_UPLOAD_INVALID", `A piece has at most ${fault.bytes} bytes here.`),
      );
    case "redirect":
      return {
        status: fault.status ?? 307,
        headers: { location: new URL(call.target, fault.to).href, "content-length": "0" },
      };
    case "cut":
      if (fault.after === "nothing") throw new Cut();
      return undefined;
    case "cut-upload":
    case "corrupt":
    case "headers":
    case "location":
    case "no-mount":
      return undefined;
  }
}

function changedCall(fault: Fault, call: Call): Call {
  if (fault.kind === "cut-upload") return { ...call, body: upTo(call.body, fault.after) };
  if (fault.kind !== "no-mount") return call;
  const query = new URLSearchParams(call.query);
  query.delete("mount");
  query.delete("from");
  return { ...call, query };
}

function changedReply(fault: Fault, call: Call, reply: Reply): Reply {
  switch (fault.kind) {
    case "headers": {
      const headers = { ...reply.headers, ...fault.headers };
      const kept = Object.entries(headers).flatMap(([name, value]) =>
        value === null ? [] : [[name, value]],
      );
      return { ...reply, headers: Object.fromEntries(kept) };
    }
    case "location": {
      const { location } = reply.headers;
      if (location === undefined) return reply;
      const { href } = new URL(location, fault.origin ?? call.origin);
      return { ...reply, headers: { ...reply.headers, location: href } };
    }
    case "corrupt":
      return reply.body === undefined ? reply : { ...reply, body: corrupted(chunksOf(reply.body)) };
    case "cut":
      return reply.body === undefined || fault.after === "nothing"
        ? reply
        : { ...reply, body: upTo(chunksOf(reply.body), fault.after) };
    case "delay":
    case "status":
    case "redirect":
    case "cut-upload":
    case "storage":
    case "chunk-limit":
    case "no-mount":
      return reply;
  }
}

async function* chunksOf(
  body: Uint8Array | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  if (body instanceof Uint8Array) yield body;
  else yield* body;
}

async function* upTo(
  chunks: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<Uint8Array, void, void> {
  let left = most;
  for await (const chunk of chunks) {
    if (chunk.byteLength >= left) {
      yield chunk.subarray(0, left);
      throw new Cut();
    }
    left -= chunk.byteLength;
    yield chunk;
  }
}

async function* corrupted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    const changed = Uint8Array.from(chunk);
    changed[0] = (changed[0] ?? 0) ^ 1;
    yield changed;
  }
}

function codeOf(status: number): RegistryCode {
  switch (status) {
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "DENIED";
    case 405:
      return "UNSUPPORTED";
    case 429:
      return "TOOMANYREQUESTS";
    case 503:
      return "UNAVAILABLE";
    default:
      return "UNKNOWN";
  }
}
