/** What the process inside of the namespaces is told. */
export interface Job {
  readonly root: string;
  readonly workingDirectory: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly timeoutMs: number;
  /** Host programs, by their paths. */
  readonly tools: { readonly unshare: string; readonly ip: string; readonly mount: string };
}

/** What it saw. */
export interface Observation {
  /** Of the one request; absent if nobody answered. */
  readonly status?: number;
  /** From the program's start until the port took a connection. */
  readonly readyMs?: number;
  /** From the request to the first byte of its answer. */
  readonly firstByteMs?: number;
  /** Addresses at which the port took a connection. */
  readonly answered: readonly string[];
  /** How the program ended, if it did before it was stopped. */
  readonly ended?: string;
  /** The last of what it wrote. */
  readonly output: string;
}

/** The text of a program for `node -e`: it takes a {@link Job} as its argument and prints an {@link Observation}. */
export function agentSource(): string {
  return `(${agent.toString()})()`;
}

/**
 * Runs as the first process of namespaces of its own, so that all it started ends with it. Nothing outside of the function is there: it
 * travels as text.
 */
function agent(): void {
  const { spawn, spawnSync } = process.getBuiltinModule("node:child_process");
  const { connect } = process.getBuiltinModule("node:net");
  const { get } = process.getBuiltinModule("node:http");
  const job: Job = JSON.parse(process.argv[1] ?? "");
  const { root, tools, port, address } = job;
  const quiet = { stdio: "ignore", env: {} } as const;
  spawnSync(tools.ip, ["link", "set", "lo", "up"], quiet);
  // Best effort: a program that needs none of these runs without.
  spawnSync(tools.mount, ["-t", "proc", "proc", `${root}/proc`], quiet);
  for (const name of ["null", "zero", "full", "random", "urandom"])
    spawnSync(tools.mount, ["--bind", `/dev/${name}`, `${root}/dev/${name}`], quiet);

  const started = Date.now();
  let output = "";
  let ended: string | undefined;
  const hasEnded = (): boolean => ended !== undefined;
  const child = spawn(tools.unshare, [`--root=${root}`, `--wd=${job.workingDirectory}`, "--", ...job.argv], {
    env: job.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: unknown) => {
      output = (output + String(chunk)).slice(-16_384);
    });
  }
  child.on("error", (error) => {
    ended ??= error.message;
  });
  child.on("exit", (code, signal) => {
    ended ??= signal === null ? `exit code ${code}` : `signal ${signal}`;
  });

  function takes(host: string): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ host, port });
      const finish = (taken: boolean) => {
        socket.destroy();
        resolve(taken);
      };
      socket.setTimeout(1000, () => finish(false));
      socket.on("connect", () => finish(true));
      socket.on("error", () => finish(false));
    });
  }

  function ask(): Promise<{ status?: number; firstByteMs?: number }> {
    const sent = performance.now();
    return new Promise((resolve) => {
      const request = get({ host: address, port, path: job.path, agent: false }, (response) => {
        const firstByteMs = Math.round((performance.now() - sent) * 10) / 10;
        resolve(response.statusCode === undefined ? {} : { status: response.statusCode, firstByteMs });
        response.destroy();
      });
      request.setTimeout(Math.max(1000, job.timeoutMs), () => request.destroy());
      request.on("error", () => resolve({}));
    });
  }

  async function observe(): Promise<Observation> {
    const others = [...new Set([address, "127.0.0.1", "127.0.0.2", "127.0.0.3"])];
    let readyMs: number | undefined;
    let elsewhere = 0;
    while (!hasEnded() && Date.now() - started < job.timeoutMs) {
      if (await takes(address)) {
        readyMs = Date.now() - started;
        break;
      }
      // Who listens elsewhere gets a second more to listen here.
      if (elsewhere === 0 && (await takes("127.0.0.1"))) elsewhere = Date.now();
      if (elsewhere !== 0 && Date.now() - elsewhere > 1000) break;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    const answer = readyMs === undefined ? {} : await ask();
    const taken = await Promise.all(others.map(takes));
    // What it wrote before it ended may still be on its way.
    await new Promise((resolve) => setTimeout(resolve, 50));
    return {
      ...answer,
      ...(readyMs === undefined ? {} : { readyMs }),
      answered: others.filter((_, at) => taken[at]),
      ...(ended === undefined ? {} : { ended }),
      output,
    };
  }

  async function tell(): Promise<void> {
    const seen = await observe();
    process.stdout.write(JSON.stringify(seen), () => process.exit(0));
  }

  void tell();
}
