import { createHash } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { memoryTree } from "@undocked/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startBench, type Bench } from "../support/build-and-read.ts";
import type { CorpusEntry } from "../support/corpus-tree.ts";
import { corpusDirectory } from "../support/corpus-tree.ts";
import { readCorpus } from "../support/corpus.ts";
import { compared, flatten, type ExpectedNode } from "../support/flat-image.ts";

interface Corpus {
  readonly server: Readonly<
    Record<
      string,
      {
        readonly status: number;
        readonly headers: Readonly<Record<string, string>>;
        readonly body?: string;
        readonly base64?: string;
      }
    >
  >;
  readonly cases: readonly {
    readonly id: string;
    readonly context: readonly CorpusEntry[];
    readonly dockerfile: string;
    readonly expect: {
      readonly error?: string;
      readonly history?: readonly string[];
      readonly rootfs?: Readonly<Record<string, ExpectedNode>>;
    };
  }[];
}

const { server: answers, cases } = readCorpus<Corpus>("dockerfile/add-url.json");
console.log(`add-url.json: ${cases.length} cases, 0 skipped`);

let bench: Bench;
let web: WebServer;

beforeAll(async () => {
  bench = await startBench();
  web = await serve((request, response) => {
    const answer = answers[request.url ?? ""];
    response.writeHead(answer?.status ?? 404, answer?.headers ?? {});
    response.end(answer?.base64 === undefined ? (answer?.body ?? "") : Buffer.from(answer.base64, "base64"));
  });
});

afterAll(async () => {
  await web.close();
  await bench[Symbol.asyncDispose]();
});

describe("what BuildKit makes of it", () => {
  test.each(cases)("$id", async ({ context, dockerfile, expect: expected }) => {
    await using directory = await corpusDirectory(context);
    const here = (text: string): string => text.replaceAll("{{U}}", web.url);
    const building = bench.build({
      context: directory.path,
      dockerfile: { text: here(dockerfile) },
      executables: "any",
      preflight: "off",
      timestamps: "preserve",
    });
    if (expected.error !== undefined) {
      // The place in front of the message is the line's.
      const core = here(expected.error).replace(/^dockerfile parse error on line \d+: /, "");
      await expect(building).rejects.toMatchObject({ message: expect.stringContaining(core) });
      return;
    }
    const image = await building;
    const source = bench.client.repository(`${bench.registry.host}/built`);
    const { seen, wanted } = compared(await flatten(image.manifest, source), expected.rootfs ?? {});
    expect(seen).toEqual(wanted);
    expect(image.config.history?.map(({ created_by: text }) => text)).toEqual(expected.history?.map(here));
  });
});

describe("a server that is not as it should be", () => {
  const build = (dockerfile: string): Promise<unknown> =>
    bench.build({ context: memoryTree({ a: "a" }), dockerfile: { text: dockerfile }, preflight: "off" });

  test("an error that passes is asked again; one that stays is told with its line", async () => {
    let asked = 0;
    await using flaky = await serve((_, response) => {
      asked += 1;
      response.writeHead(asked === 1 ? 503 : 200, { "Retry-After": "0" }).end("here");
    });
    await build(`FROM scratch\nADD ${flaky.url}/f /\n`);
    expect(asked).toBe(2);
    await expect(build(`FROM scratch\n\nADD ${web.url}/missing /\n`)).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      location: { line: 3 },
      message: expect.stringContaining("404"),
    });
  });

  test("a body that ends too early is no file", async () => {
    await using short = await serve((_, response) => {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write("only this");
      setImmediate(() => response.destroy());
    });
    await expect(build(`FROM scratch\nADD ${short.url}/f /\n`)).rejects.toMatchObject({
      location: { line: 2 },
    });
  });

  test("a redirect in a circle is left, and no login is ever sent", async () => {
    const logins: unknown[] = [];
    await using circle = await serve((request, response) => {
      logins.push(request.headers.authorization, request.headers.cookie);
      response.writeHead(302, { Location: request.url === "/a" ? "/b" : "/a", "Set-Cookie": "a=b" }).end();
    });
    await expect(build(`FROM scratch\nADD ${circle.url}/a /\n`)).rejects.toMatchObject({
      code: "REDIRECT_REFUSED",
    });
    expect(logins.length).toBeLessThan(30);
    expect(logins.every((login) => login === undefined)).toBe(true);
  });

  test("a redirect to a file of the machine is refused", async () => {
    await using sly = await serve((_, response) => {
      response.writeHead(302, { Location: "file:///etc/passwd" }).end();
    });
    await expect(build(`FROM scratch\nADD ${sly.url}/a /\n`)).rejects.toMatchObject({
      code: "REDIRECT_REFUSED",
    });
  });

  test("a login in the URL is refused: it would stand in the history", async () => {
    const url = web.url.replace("//", "//user:secret@");
    const building = build(`FROM scratch\nADD ${url}/foo /\n`);
    await expect(building).rejects.toMatchObject({ code: "DOWNLOAD_FAILED" });
    await expect(building).rejects.not.toMatchObject({ message: expect.stringContaining("secret") });
  });

  test("sha512 is checked as well", async () => {
    const sum = createHash("sha512").update("hello").digest("hex");
    await build(`FROM scratch\nADD --checksum=sha512:${sum} ${web.url}/foo /\n`);
    const wrong = sum.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    await expect(
      build(`FROM scratch\nADD --checksum=sha512:${wrong} ${web.url}/foo /\n`),
    ).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });
});

interface WebServer extends AsyncDisposable {
  readonly url: string;
  close(): Promise<void>;
}

async function serve(listener: RequestListener): Promise<WebServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close,
    [Symbol.asyncDispose]: close,
  };
}
