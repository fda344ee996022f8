import { expect, test } from "vitest";
import { parseOwner } from "./owner.ts";

const files: Record<string, string> = {
  "/etc/passwd": "root:x:0:0::/:\nalice:x:1001:1002::/:\nbroken:x:abc:1::/:\nodd line\n",
  "/etc/group": "root:x:0:\nstaff:x:50:alice\n",
};
const root = {
  read: (path: string) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
};

test.each([
  ["1", 1, 1],
  ["1:2", 1, 2],
  ["alice", 1001, 1002],
  ["alice:staff", 1001, 50],
  ["alice:7", 1001, 7],
  ["5:staff", 5, 50],
  [":50", 0, 50],
  ["root", 0, 0],
  ["root:root", 0, 0],
  ["1:", 1, 1],
  ["+5:+06", 5, 6],
  ["4294967294", 4294967294, 4294967294],
])("%s is %i:%i", (text, uid, gid) => {
  expect(parseOwner(text, root)).toEqual({ uid, gid });
});

test.each([
  "bob",
  "alice:nobody",
  "-1",
  "-1:-1",
  "broken",
  "odd line",
  "4294967295",
  "1.5",
  "0x10",
  "alice:staff:x",
])("%s is refused", (text) => {
  expect(() => parseOwner(text, root)).toThrow(expect.objectContaining({ code: "OWNER_UNKNOWN" }));
});

test("root and numbers need no passwd, other names do", () => {
  const scratch = { read: () => undefined };
  expect(parseOwner("root:root", scratch)).toEqual({ uid: 0, gid: 0 });
  expect(() => parseOwner("alice", scratch)).toThrow(/alice/);
});
