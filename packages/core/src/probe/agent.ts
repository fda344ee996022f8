/** What the process inside of the namespaces is told. */
export interface Job {
  readonly root: string;
  readonly workingDirectory: string;
  /** Where the program lies, for those inside of the root. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly timeoutMs: number;
  readonly tools: HostTools;
}

/** Host programs, by their paths. */
export interface HostTools {
  readonly unshare: string;
  readonly ip: string;
  readonly mount: string;
  readonly umount: string;
  readonly pivotRoot: string;
  readonly mkfifo: string;
  readonly sh: string;
}

/** Instead of an observation: what of the host's refused itself. */
export interface Refusal {
  readonly refused: string;
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

/** The text of a program for `node -e`: it takes a {@link Job} as its argument and prints an {@link Observation} or a {@link Refusal}. */
export function agentSource(): string {
  return programOf(agent.toString());
}

/**
 * Calls the function of a text. A bundler that keeps names wraps each function within in a helper of its own, which is not there where
 * the text runs: its name is told by the agent's own `print`.
 */
export function programOf(source: string): string {
  const helper = /([\w$]+)\([\w$]+,\s*"print"\)/.exec(source)?.[1];
  return `${helper === undefined ? "" : `const ${helper} = (named) => named;`}(${source})()`;
}

/**
 * Runs as the first process of namespaces of its own, so that all it started ends with it. Nothing outside of the function is there: it
 * travels as text.
 *
 * It makes the image's root its own before it starts the program: what acts on the program, as the image's environment, then meets no
 * program of the host, and the program no file of the host.
 */
function agent(): void {
  const { spawn, spawnSync } = process.getBuiltinModule("node:child_process");
  const fs = process.getBuiltinModule("node:fs");
  const { connect, Socket } = process.getBuiltinModule("node:net");
  const { get } = process.getBuiltinModule("node:http");
  const job: Job = JSON.parse(process.argv[1] ?? "");
  const { root, tools, port, address } = job;
  // Whoever started this is gone: so is what it was for.
  process.stdin.on("end", () => process.exit(1)).resume();

  function print(told: Observation | Refusal): void {
    process.stdout.write(JSON.stringify(told), () => process.exit(0));
  }

  function runs(program: string, ...args: readonly string[]): boolean {
    return spawnSync(program, args, { stdio: "ignore", env: {} }).status === 0;
  }

  /** A pipe, which unlike the sockets of `spawn` can be opened again as /dev/stdout. */
  function makePipe(): { readonly output: number; readonly input: number } {
    runs(tools.mount, "-t", "tmpfs", "tmpfs", root);
    const fifo = `${root}/pipe`;
    runs(tools.mkfifo, "-m", "666", fifo);
    const output = fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const input = fs.openSync(fifo, fs.constants.O_WRONLY);
    runs(tools.umount, "-l", root);
    return { output, input };
  }

  /** What a runtime mounts (runtime-spec, config-linux.md). Best effort: a program that needs none of these runs without. */
  function mountDefaults(): void {
    const isDirectory = (path: string) =>
      fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    const [proc, sys, dev] = [`${root}/proc`, `${root}/sys`, `${root}/dev`];
    if (isDirectory(proc)) runs(tools.mount, "-t", "proc", "proc", proc);
    if (isDirectory(sys)) runs(tools.mount, "-t", "sysfs", "-o", "ro,nosuid,nodev,noexec", "sysfs", sys);
    const hasOwnDevices =
      isDirectory(dev) && runs(tools.mount, "-t", "tmpfs", "-o", "mode=755,nosuid,size=64k", "tmpfs", dev);
    if (!hasOwnDevices) return;
    for (const name of ["null", "zero", "full", "random", "urandom", "tty"]) {
      fs.writeFileSync(`${dev}/${name}`, "");
      if (!runs(tools.mount, "--bind", `/dev/${name}`, `${dev}/${name}`)) fs.unlinkSync(`${dev}/${name}`);
    }
    fs.mkdirSync(`${dev}/shm`);
    runs(tools.mount, "-t", "tmpfs", "-o", "mode=1777,nosuid,nodev,noexec,size=64m", "shm", `${dev}/shm`);
    fs.mkdirSync(`${dev}/pts`);
    const terminals = "newinstance,ptmxmode=0666,mode=0620,nosuid,noexec";
    runs(tools.mount, "-t", "devpts", "-o", terminals, "devpts", `${dev}/pts`);
    for (const [name, target] of [
      ["ptmx", "pts/ptmx"],
      ["fd", "/proc/self/fd"],
      ["stdin", "/proc/self/fd/0"],
      ["stdout", "/proc/self/fd/1"],
      ["stderr", "/proc/self/fd/2"],
    ] as const)
      fs.symlinkSync(target, `${dev}/${name}`);
  }

  /**
   * Makes the image's root that of this process and takes the host's away. No program of the host can be started afterwards, so that the one
   * that unmounts waits in mounts of its own, where the host's root still is. @returns what went wrong
   */
  async function enterRoot(): Promise<string | undefined> {
    const mounts = fs.openSync("/proc/self/ns/mnt", "r");
    const unmount = [tools.umount, "-l", "-N", "/proc/self/fd/3", "/"];
    const keeper = spawn(
      tools.unshare,
      ["--mount", "--", tools.sh, "-c", 'echo && read -r _ && exec "$@"', "sh", ...unmount],
      { stdio: ["pipe", "pipe", "ignore", mounts], env: {} },
    );
    fs.closeSync(mounts);
    const unmounted = new Promise<boolean>((resolve) => {
      keeper.once("error", () => resolve(false));
      keeper.once("close", (code) => resolve(code === 0));
    });
    keeper.stdin?.on("error", () => undefined);
    await new Promise((resolve) => {
      keeper.stdout?.once("data", resolve);
      void unmounted.then(resolve);
    });
    // One directory for both: the old root comes to lie upon the new one.
    if (!runs(tools.pivotRoot, root, root)) return "pivot_root";
    process.chdir("/");
    keeper.stdin?.end("\n");
    return (await unmounted) ? undefined : "umount";
  }

  async function run(): Promise<void> {
    runs(tools.ip, "link", "set", "lo", "up");
    const stdin = fs.openSync("/dev/null", "r");
    const pipe = makePipe();
    runs(tools.mount, "--bind", root, root);
    mountDefaults();
    const failed = await enterRoot();
    if (failed !== undefined) return print({ refused: failed });
    startProgram(stdin, pipe);
    print(await observe());
  }

  let started = 0;
  let output = "";
  let ended: string | undefined;
  const hasEnded = (): boolean => ended !== undefined;
  const leftMs = (): number => Math.max(0, started + job.timeoutMs - Date.now());

  /** The path is the program's, and the first argument the name that it is given. */
  function startProgram(stdin: number, pipe: { readonly output: number; readonly input: number }): void {
    started = Date.now();
    const [argv0 = "", ...args] = job.argv;
    const [cwd, env] = [job.workingDirectory, job.env];
    try {
      spawn(job.program, args, { argv0, cwd, env, stdio: [stdin, pipe.input, pipe.input] })
        .on("error", (error) => {
          ended ??= error.message;
        })
        .on("exit", (code, signal) => {
          ended ??= signal === null ? `exit code ${code}` : `signal ${signal}`;
        });
    } catch (error) {
      // What is rarer than ENOENT and EACCES is thrown.
      ended = String(error);
    }
    fs.closeSync(stdin);
    fs.closeSync(pipe.input);
    new Socket({ fd: pipe.output, readable: true, writable: false })
      .on("error", () => undefined)
      .on("data", (chunk: unknown) => {
        output = (output + String(chunk)).slice(-16_384);
      });
  }

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
      // For the whole answer's head, however slowly it comes.
      const timer = setTimeout(() => request.destroy(), leftMs());
      request.on("error", () => resolve({}));
      request.on("close", () => clearTimeout(timer));
    });
  }

  async function observe(): Promise<Observation> {
    const others = [...new Set([address, "127.0.0.1", "127.0.0.2", "127.0.0.3"])];
    let readyMs: number | undefined;
    let elsewhere = 0;
    while (!hasEnded() && leftMs() > 0) {
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

  void run();
}
