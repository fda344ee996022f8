import { expect, test } from "vitest";
import { proxyFor } from "./proxy.ts";

const by = (url: string, noProxy: string): string | undefined =>
  proxyFor(url, { HTTPS_PROXY: "http://p:3128", http_proxy: "q:80", NO_PROXY: noProxy })?.host;

test.each([
  ["https://reg.example/", "", "p:3128"],
  ["http://reg.example/", "", "q"],
  ["https://reg.example/", "*", undefined],
  ["https://reg.example/", "reg.example", undefined],
  ["https://reg.example/", "REG.example", undefined],
  ["https://a.reg.example/", "reg.example", undefined],
  ["https://areg.example/", "reg.example", "p:3128"],
  ["https://a.reg.example/", ".reg.example", undefined],
  ["https://a.reg.example/", "*.reg.example", undefined],
  ["https://reg.example/", ".reg.example", "p:3128"],
  ["https://reg.example/", "x, reg.example:443", undefined],
  ["https://reg.example:5000/", "reg.example:443", "p:3128"],
  ["https://10.1.2.3/", "10.0.0.0/8", undefined],
  ["https://11.1.2.3/", "10.0.0.0/8", "p:3128"],
  ["https://10.1.2.3/", "10.1.2.3", undefined],
  ["https://[2001:db8::1]/", "2001:db8::/32", undefined],
  ["https://reg.example/", "10.0.0.0/99,/,a/b", "p:3128"],
  ["https://127.0.0.1:5000/", "", undefined],
  ["https://localhost/", "", undefined],
])("%s without %j goes by %s", (url, noProxy, expected) => {
  expect(by(url, noProxy)).toBe(expected);
});

test.each(["socks5://u:CANARY@p:1", "http://u:CANARY@[", "ftp://p"])(
  "what is no proxy's URL is an error that does not tell it: %s",
  (value) => {
    const ask = (): unknown => proxyFor("https://reg.example/", { https_proxy: value });
    expect(ask).toThrow(/https_proxy/);
    expect(ask).not.toThrow(/CANARY/);
    expect(proxyFor("https://reg.example/", { https_proxy: value, no_proxy: "*" })).toBeUndefined();
    expect(proxyFor("https://localhost/", { https_proxy: value })).toBeUndefined();
  },
);

test("an empty variable is none", () => {
  expect(proxyFor("https://reg.example/", { https_proxy: "" })).toBeUndefined();
});
