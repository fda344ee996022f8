import type { RegistryEvent, RetryEvent } from "@undocked/registry";
import { expect, test } from "vitest";
import { registryNotices } from "./registry-notices.ts";

function linesOf(...events: readonly RegistryEvent[]): readonly string[] {
  const lines: string[] = [];
  const notice = registryNotices((line) => lines.push(line));
  for (const event of events) notice(event);
  return lines;
}

const retry = (waitMs: number, more: Partial<RetryEvent> = {}): RetryEvent => ({
  kind: "retry",
  method: "GET",
  url: "https://reg.example:5000/v2/a/blobs/x?sig=REDACTED",
  waitMs,
  attempt: 1,
  reason: "REGISTRY_UNREACHABLE",
  ...more,
});

test("a warning is told once, and on one line", () => {
  const warning = { kind: "warning", registry: "reg.example", message: "old\u001B[31m" } as const;
  expect(linesOf(warning, warning)).toEqual(["warning: reg.example: old\\u001b[31m"]);
});

test("a warning and a reason are on one line", () => {
  const forged = "old\nerror: your password? [OK]";
  expect(
    linesOf(
      { kind: "warning", registry: "reg.example", message: forged },
      retry(2_000, { reason: forged }),
    ).join(""),
  ).not.toContain("\n");
});

test("a warning that names its registry, or is about none, stands by itself", () => {
  expect(
    linesOf(
      { kind: "warning", registry: "reg.example", message: "The login for reg.example is not sent." },
      { kind: "warning", registry: "", message: "No helper." },
    ),
  ).toEqual(["warning: The login for reg.example is not sent.", "warning: No helper."]);
});

test("a warning that has a code ends with it, as those of a build do", () => {
  const code = "CREDENTIAL_HELPER_FAILED";
  expect(linesOf({ kind: "warning", registry: "", message: "No helper.", code })).toEqual([
    "warning: No helper. [CREDENTIAL_HELPER_FAILED]",
  ]);
});

test("a wait is told with its host and reason", () => {
  expect(linesOf(retry(12_000, { status: 429, reason: "TOOMANYREQUESTS" }))).toEqual([
    "waiting 12 s for reg.example:5000: 429 TOOMANYREQUESTS",
  ]);
  expect(linesOf(retry(2_000))).toEqual(["waiting 2 s for reg.example:5000: REGISTRY_UNREACHABLE"]);
});

test("a short wait is not told, nor one that ends with one that was", () => {
  expect(linesOf(retry(900))).toEqual([]);
  expect(linesOf(retry(12_000), retry(12_000), retry(5_000))).toHaveLength(1);
  expect(linesOf(retry(2_000), retry(12_000))).toHaveLength(2);
  expect(linesOf(retry(2_000), retry(2_000, { url: "https://other.example/v2/" }))).toHaveLength(2);
});

test("requests, tokens and limits are nothing to tell", () => {
  expect(
    linesOf(
      { kind: "request", method: "GET", url: "https://r/", status: 500 },
      { kind: "token", registry: "r", realm: "https://r/", scopes: [], anonymous: true },
      { kind: "rate-limit", host: "r", limit: 1, remaining: 0 },
    ),
  ).toEqual([]);
});
