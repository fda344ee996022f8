// Debian's docker-registry on a free port with a directory of its own, and a proxy in front that counts bytes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * `host` is the proxy's. Since the last `reset()`: `sent` and `received` are bytes from and to the clients, `requests` what the
 * registry has logged.
 */
export async function startRegistry(directory) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const configuration = join(directory, "config.yml");
  writeFileSync(
    configuration,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: false}}\nstorage: {filesystem: {rootdirectory: ${directory}/data}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const child = spawn("docker-registry", ["serve", configuration], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, OTEL_TRACES_EXPORTER: "none" },
  });
  const ended = once(child, "exit");
  const count = { sent: 0, received: 0, requests: 0 };
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (/"(?:GET|HEAD|POST|PUT|PATCH|DELETE) /.test(line)) count.requests += 1;
  });
  const sockets = new Set();
  const proxy = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {
        client.destroy();
        server.destroy();
      });
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (chunk) => (count.sent += chunk.length));
    server.on("data", (chunk) => (count.received += chunk.length));
    client.pipe(server);
    server.pipe(client);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const host = `127.0.0.1:${proxy.address().port}`;
  await answering(`http://127.0.0.1:${port}/v2/`);
  return {
    host,
    direct: `http://127.0.0.1:${port}`,
    count,
    reset: () => Object.assign(count, { sent: 0, received: 0, requests: 0 }),
    async stop() {
      proxy.close();
      for (const socket of sockets) socket.destroy();
      child.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function answering(url) {
  for (let tries = 0; tries < 300; tries += 1) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer !== undefined) return;
    await sleep(50);
  }
  throw new Error(`${url} does not answer.`);
}
