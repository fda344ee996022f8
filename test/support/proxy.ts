import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import { connect, type AddressInfo } from "node:net";

/** A forward proxy of this machine that asks for a login. */
export interface Proxy extends Disposable {
  /** With user and password in it. */
  readonly url: string;
  /** `CONNECT host:port`, and of plain http `GET http://…`. */
  readonly seen: readonly string[];
}

/** @param route - `host:port` of this machine for a name; it never leaves it */
export async function startProxy(route: (name: string) => string, password: string): Promise<Proxy> {
  const seen: string[] = [];
  const expected = `Basic ${Buffer.from(`user:${password}`).toString("base64")}`;
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const { "proxy-authorization": login, ...headers } = request.headers;
    if (login !== expected) {
      response.writeHead(407).end();
      return;
    }
    const { hostname, pathname, search } = new URL(request.url ?? "");
    const [host = "", port = ""] = route(hostname).split(":");
    const { method = "GET" } = request;
    const onward = httpRequest({ host, port, path: pathname + search, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  proxy.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    socket.on("error", () => undefined);
    if (request.headers["proxy-authorization"] !== expected) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    const [host = "", port = ""] = route(new URL(`http://${request.url}`).hostname).split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on("error", () => socket.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    seen,
    url: `http://user:${password}@127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}
