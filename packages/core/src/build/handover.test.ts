import { expect, test } from "vitest";
import { handover } from "./handover.ts";

const chunk = (value: number) => Uint8Array.of(value);

test("what is written is read, in its order, to its end", async () => {
  const pipe = handover();
  const writing = (async () => {
    for (let value = 0; value < 10; value++) await pipe.write(chunk(value));
    pipe.end();
  })();
  const read: number[] = [];
  for await (const [value] of pipe) if (value !== undefined) read.push(value);
  await writing;
  expect(read).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a writer waits for a reader that is behind", async () => {
  const pipe = handover();
  let written = 0;
  const writing = (async () => {
    for (; written < 5; written++) await pipe.write(chunk(written));
    pipe.end();
  })();
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toBe(2);
  for await (const _ of pipe);
  await writing;
  expect(written).toBe(5);
});

test("a writer whose reader has gone goes on at once", async () => {
  const pipe = handover();
  await pipe.write(chunk(0));
  await pipe.write(chunk(1));
  const third = pipe.write(chunk(2));
  pipe.close();
  await third;
  await pipe.write(chunk(3));
});

test("a reader is told why there is no more", async () => {
  const pipe = handover();
  await pipe.write(chunk(0));
  pipe.fail(new Error("the file has gone"));
  const read = (async () => {
    for await (const _ of pipe);
  })();
  await expect(read).rejects.toThrow("the file has gone");
});
