import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { parseDigest, tally, type Digest } from "@undocked/registry";

/** The sha256 of blocks. */
export interface BlockHash extends AsyncDisposable {
  /** Takes the next block, memory and all; resolves when one more may come. */
  take(block: Uint8Array): Promise<void>;
  /** Of all that has been taken. */
  digest(): Promise<Digest>;
}

/** Gets back each block that was taken, to be used again. */
type Done = (block: Uint8Array) => void;

/** With less to hash, a thread costs more than it saves. */
const MANY = 256 * 1024 * 1024;

/** @param size - bytes to come, about: many are hashed on a thread of their own */
export function blockHash(size: number, done: Done): BlockHash {
  return size < MANY ? hashHere(done) : hashOnThread(done);
}

export function hashHere(done: Done): BlockHash {
  const seen = tally();
  return {
    take(block) {
      seen.update(block);
      done(block);
      return Promise.resolve();
    },
    digest: () => Promise.resolve(seen.digest()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A text, so that it needs no file of its own where programs are joined. It gives each block back, and in the end the digest. */
const PROGRAM = `
const { parentPort } = require("node:worker_threads");
const hash = require("node:crypto").createHash("sha256");
parentPort.on("message", (block) => {
  if (block === null) return parentPort.postMessage(hash.digest("hex"));
  hash.update(block);
  parentPort.postMessage(block, [block.buffer]);
});
`;

/** Blocks that may wait for the thread. */
const AHEAD = 2;

/** Memory goes there and back: to look at what two threads share takes several times the time that other memory takes. */
export function hashOnThread(done: Done): BlockHash {
  const worker = new Worker(PROGRAM, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } });
  // Who waits for an answer is told of an end without one.
  const failure = once(worker, "error").then(([error]: unknown[]) => {
    throw error;
  });
  failure.catch(() => {});
  const waiting: ((answer: unknown) => void)[] = [];
  worker.on("message", (answer: unknown) => waiting.shift()?.(answer));
  const underWay: Promise<void>[] = [];

  function ask(block: Uint8Array | null): Promise<unknown> {
    const answer = new Promise<unknown>((resolve) => waiting.push(resolve));
    worker.postMessage(block, block?.buffer instanceof ArrayBuffer ? [block.buffer] : []);
    return Promise.race([answer, failure]);
  }

  async function hashedThere(block: Uint8Array): Promise<void> {
    const back = await ask(block);
    if (back instanceof Uint8Array) done(back);
  }

  return {
    async take(block) {
      const hashed = hashedThere(block);
      hashed.catch(() => {});
      underWay.push(hashed);
      if (underWay.length > AHEAD) await underWay.shift();
    },
    async digest() {
      return parseDigest(`sha256:${String(await ask(null))}`);
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}
