import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { parseDigest, tally, type Digest } from "@undocked/registry";

/** The sha256 of blocks that pass. */
export interface BlockHash extends AsyncDisposable {
  /** What the blocks' memory has to be. */
  readonly memory: "own" | "shared";
  /** Passes the blocks on as they came; they may still be read afterwards, until {@link hashed}. */
  through(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void>;
  /** Resolves once a block that has passed is not looked at any more. */
  hashed(block: Uint8Array): Promise<void>;
  /** Of all that has passed. */
  digest(): Promise<Digest>;
}

/** With less to hash, a thread costs more than it saves. */
const MANY = 256 * 1024 * 1024;

/** @param size - bytes to come, about: many are hashed on a thread of their own */
export function blockHash(size: number): BlockHash {
  return size < MANY ? hashHere() : hashOnThread();
}

export function hashHere(): BlockHash {
  const seen = tally();
  return {
    memory: "own",
    through: (blocks) => seen.through(blocks),
    hashed: () => Promise.resolve(),
    digest: () => Promise.resolve(seen.digest()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A text, so that it needs no file of its own where programs are joined. It answers each block, and in the end with the digest. */
const PROGRAM = `
const { parentPort } = require("node:worker_threads");
const hash = require("node:crypto").createHash("sha256");
parentPort.on("message", (block) => {
  if (block === null) return parentPort.postMessage(hash.digest("hex"));
  hash.update(block);
  parentPort.postMessage(null);
});
`;

/** Blocks that may wait for the thread. */
const AHEAD = 4;

export function hashOnThread(): BlockHash {
  const worker = new Worker(PROGRAM, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } });
  // Who waits for an answer is told of an end without one.
  const failure = once(worker, "error").then(([error]: unknown[]) => {
    throw error;
  });
  failure.catch(() => {});
  const waiting: ((answer: unknown) => void)[] = [];
  worker.on("message", (answer: unknown) => waiting.shift()?.(answer));
  const underWay = new Map<Uint8Array, Promise<unknown>>();

  function ask(message: Uint8Array | null): Promise<unknown> {
    const answer = new Promise<unknown>((resolve) => waiting.push(resolve));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    worker.postMessage(message);
    return Promise.race([answer, failure]);
  }

  return {
    memory: "shared",
    async *through(blocks) {
      for await (const block of blocks) {
        const done = ask(block).finally(() => underWay.delete(block));
        done.catch(() => {});
        underWay.set(block, done);
        if (underWay.size >= AHEAD) await underWay.values().next().value;
        yield block;
      }
    },
    async hashed(block) {
      await underWay.get(block);
    },
    async digest() {
      return parseDigest(`sha256:${String(await ask(null))}`);
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}
