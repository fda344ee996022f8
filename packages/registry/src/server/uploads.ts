import { randomUUID } from "node:crypto";
import { digestAlgorithm, tally, type Digest, type Tally } from "../oci/digest.ts";
import { methodNotAllowed, type Call } from "./call.ts";
import { emptyReply, Refusal, type Reply } from "./reply.ts";
import { blobKey } from "./repository.ts";
import { parseName, parseRouteDigest } from "./route.ts";
import type { Draft, Storage } from "./storage.ts";

/** The uploads under way: distribution-spec, "Pushing blobs". They end with the server. */
export interface Uploads {
  /** `/v2/<name>/blobs/uploads/` */
  begin(call: Call, name: string): Promise<Reply>;
  /** `/v2/<name>/blobs/uploads/<id>` */
  proceed(call: Call, name: string, id: string): Promise<Reply>;
  /** How many sessions are open. */
  size(): number;
  discardAll(): Promise<void>;
}

interface Session {
  readonly id: string;
  readonly name: string;
  readonly draft: Draft;
  readonly sha256: Tally;
  /** Requests of one session follow one another. */
  turn: Promise<unknown>;
  touched: number;
}

const IDLE_MS = 60 * 60 * 1000;

export function uploads(storage: Storage): Uploads {
  const sessions = new Map<string, Session>();

  const open = async (name: string): Promise<Session> => {
    const draft = await storage.draft();
    const session: Session = {
      id: randomUUID(),
      name,
      draft,
      sha256: tally(),
      turn: Promise.resolve(),
      touched: Date.now(),
    };
    sessions.set(session.id, session);
    return session;
  };

  const discard = async (session: Session): Promise<void> => {
    sessions.delete(session.id);
    await session.draft.discard();
  };

  const discardIdle = async (): Promise<void> => {
    const before = Date.now() - IDLE_MS;
    for (const session of sessions.values()) if (session.touched < before) await discard(session);
  };

  const finish = async (session: Session, expected: Digest): Promise<Reply> => {
    const actual = await digestOfDraft(session, expected);
    if (actual !== expected) {
      await discard(session);
      throw new Refusal(400, "DIGEST_INVALID", `The content's digest is ${actual}, not ${expected}.`);
    }
    await session.draft.commit(blobKey(session.name, expected));
    sessions.delete(session.id);
    return created(session.name, expected);
  };

  const proceedInTurn = async (call: Call, session: Session): Promise<Reply> => {
    if (!sessions.has(session.id)) throw unknownUpload();
    session.touched = Date.now();
    switch (call.method) {
      case "PATCH":
        await receive(call, session);
        return emptyReply(202, progress(session));
      case "PUT": {
        const expected = parseRouteDigest(call.query.get("digest") ?? "");
        await receive(call, session);
        return finish(session, expected);
      }
      default:
        await discard(session);
        return emptyReply(204);
    }
  };

  return {
    async begin(call, name) {
      if (call.method !== "POST") throw methodNotAllowed(call, "POST");
      await discardIdle();
      const mount = call.query.get("mount");
      const from = call.query.get("from");
      if (mount !== null && from !== null) {
        const digest = parseRouteDigest(mount);
        const isMounted = await storage.link(blobKey(parseName(from), digest), blobKey(name, digest));
        if (isMounted) return created(name, digest);
      }
      const digest = call.query.get("digest");
      const expected = digest === null ? undefined : parseRouteDigest(digest);
      const session = await open(name);
      if (expected === undefined) return emptyReply(202, progress(session));
      try {
        await receive(call, session);
      } catch (error) {
        // Nobody knows the session's place: it cannot be resumed.
        await discard(session);
        throw error;
      }
      return finish(session, expected);
    },
    async proceed(call, name, id) {
      const session = sessions.get(id);
      if (session === undefined || session.name !== name) throw unknownUpload();
      if (call.method === "GET") return emptyReply(204, progress(session));
      if (call.method !== "PATCH" && call.method !== "PUT" && call.method !== "DELETE") {
        throw methodNotAllowed(call, "GET", "PATCH", "PUT", "DELETE");
      }
      const reply = session.turn.then(() => proceedInTurn(call, session));
      session.turn = reply.catch(() => undefined);
      return reply;
    },
    size: () => sessions.size,
    async discardAll() {
      for (const session of sessions.values()) await discard(session);
    },
  };
}

/** Appends the body; what arrived before a cut stays, and the session can go on behind it. */
async function receive(call: Call, session: Session): Promise<void> {
  const range = chunkRange(call, session);
  let received = 0;
  for await (const chunk of call.body) {
    received += chunk.byteLength;
    if (range !== undefined && received > range) throw wrongLength(`more than ${range}`, range);
    await session.draft.append(chunk);
    session.sha256.update(chunk);
  }
  if (range !== undefined && received !== range) throw wrongLength(String(received), range);
}

/**
 * The length that Content-Range announces (`<first>-<last>`, without a unit).
 *
 * @throws {Refusal} 416 for a chunk that does not begin where the last one ended
 */
function chunkRange(call: Call, session: Session): number | undefined {
  const text = call.headers["content-range"];
  if (text === undefined) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || last < first) {
    throw new Refusal(400, "BLOB_UPLOAD_INVALID", `${JSON.stringify(text.slice(0, 100))} is not a range.`);
  }
  if (first !== session.sha256.size()) {
    throw new Refusal(
      416,
      "BLOB_UPLOAD_INVALID",
      `The chunk begins at ${first}; the upload has ${session.sha256.size()} bytes.`,
      { headers: progress(session) },
    );
  }
  const length = last - first + 1;
  const announced = call.headers["content-length"];
  if (announced !== undefined && Number(announced) !== length) throw wrongLength(announced, length);
  return length;
}

function wrongLength(actual: string, announced: number): Refusal {
  return new Refusal(
    400,
    "SIZE_INVALID",
    `The chunk has ${actual} bytes; its Content-Range says ${announced}.`,
  );
}

async function digestOfDraft(session: Session, expected: Digest): Promise<Digest> {
  const algorithm = digestAlgorithm(expected);
  if (algorithm === "sha256") return session.sha256.digest();
  const seen = tally(algorithm);
  for await (const chunk of session.draft.read()) seen.update(chunk);
  return seen.digest();
}

function progress({ id, name, sha256 }: Session): Readonly<Record<string, string>> {
  return {
    location: `/v2/${name}/blobs/uploads/${id}`,
    "docker-upload-uuid": id,
    // docker-registry too says 0-0 of an upload that has no bytes: the form knows no empty range.
    range: `0-${Math.max(sha256.size() - 1, 0)}`,
  };
}

function created(name: string, digest: Digest): Reply {
  return emptyReply(201, { location: `/v2/${name}/blobs/${digest}`, "docker-content-digest": digest });
}

function unknownUpload(): Refusal {
  return new Refusal(404, "BLOB_UPLOAD_UNKNOWN", "There is no such upload.");
}
