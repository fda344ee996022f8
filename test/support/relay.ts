import { request as requestPlain, type IncomingMessage, type ServerResponse } from "node:http";
import { request as requestTls } from "node:https";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A change that is made to content on its way to the client. */
export interface Fault {
  /** The tag or digest that is asked for. */
  readonly on: string;
  /**
   * `flip`: one bit is another; `append`: one byte too many; `truncate`: a whole answer that is one byte short; `cut`: the
   * connection ends in the middle of the body.
   */
  readonly how: "flip" | "append" | "truncate" | "cut";
}

export interface RelayOptions {
  /** Where the request goes, as `http://127.0.0.1:5000`. */
  readonly upstream: string;
  /** PEM of the upstream's authority, if it speaks TLS. */
  readonly ca?: string | undefined;
  /** Path and query to ask for. */
  readonly url: string;
  /** Changes the headers of the answer in place. */
  readonly onHeaders?: (headers: Record<string, string | string[] | undefined>) => void;
  /** Done to the answer if it is a 200. */
  readonly fault?: Fault | undefined;
  /** Told how many bytes of body pass, each way. */
  readonly count?: { received: number; sent: number };
}

/** Passes a request on, without its credential, and streams the answer back. */
export async function relay(
  request: IncomingMessage,
  response: ServerResponse,
  options: RelayOptions,
): Promise<void> {
  const count = options.count ?? { received: 0, sent: 0 };
  const { authorization: _credential, connection: _hop, ...headers } = request.headers;
  const target = new URL(options.upstream);
  const send = target.protocol === "https:" ? requestTls : requestPlain;
  const onward = send({
    host: target.hostname,
    port: target.port,
    method: request.method,
    path: options.url,
    headers: { ...headers, host: target.host },
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  response.once("close", () => onward.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    onward.once("response", resolve);
    onward.once("error", reject);
  });
  const [answer] = await Promise.all([
    answered,
    pipeline(
      request,
      counted((bytes) => (count.received += bytes)),
      onward,
    ),
  ]);
  const { connection: _answerHop, ...kept } = answer.headers;
  options.onHeaders?.(kept);
  const sent = counted((bytes) => (count.sent += bytes));
  if (options.fault !== undefined && answer.statusCode === 200) {
    return sendFaulty(options.fault, kept, answer, response, count);
  }
  response.writeHead(answer.statusCode ?? 502, kept);
  await pipeline(answer, sent, response);
}

function counted(onBytes: (bytes: number) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      done(undefined, chunk);
    },
  });
}

async function sendFaulty(
  fault: Fault,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  answer: AsyncIterable<Buffer>,
  response: ServerResponse,
  count: { sent: number },
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const changed = changedBy(fault, body);
  count.sent += changed.length;
  const length = fault.how === "cut" ? body.length : changed.length;
  response.writeHead(200, { ...headers, "content-length": length });
  if (fault.how === "cut") response.write(changed, () => response.destroy());
  else response.end(changed);
}

function changedBy(fault: Fault, body: Buffer): Buffer {
  const middle = Math.floor(body.length / 2);
  switch (fault.how) {
    case "flip": {
      const flipped = Buffer.from(body);
      flipped[middle] = (flipped[middle] ?? 0) ^ 1;
      return flipped;
    }
    case "append":
      return Buffer.concat([body, Buffer.from("\n")]);
    case "truncate":
      return body.subarray(0, -1);
    case "cut":
      return body.subarray(0, middle);
  }
}
