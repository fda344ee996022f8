import { expect, test } from "vitest";
import { digestOf } from "../oci/digest.ts";
import { encodeJson } from "../oci/json.ts";
import { MediaType } from "../oci/media-type.ts";
import { memoryStore } from "./memory.ts";
import { isReferrer, referrersAmong } from "./referrers.ts";
import type { BlobSource } from "./store.ts";
import { contentOf } from "./verify.ts";

test("a manifest that is taken away between two looks refers to nothing", async () => {
  const subject = { mediaType: MediaType.ociManifest, digest: digestOf("subject"), size: 7 };
  const config = { mediaType: "a/b", digest: digestOf("{}"), size: 2 };
  const whole = memoryStore();
  const manifest = encodeJson({ schemaVersion: 2, config, layers: [], subject });
  const referrer = await whole.ingest(MediaType.ociManifest, contentOf(manifest));
  const emptied: BlobSource = {
    exists: (target) => whole.exists(target),
    fetch: (target) => memoryStore().fetch(target),
  };
  const found = async (source: BlobSource): Promise<number> => {
    let count = 0;
    for await (const _ of referrersAmong([referrer], source, subject.digest)) count += 1;
    return count;
  };

  expect([await isReferrer(whole, referrer), await found(whole)]).toEqual([true, 1]);
  expect([await isReferrer(emptied, referrer), await found(emptied)]).toEqual([false, 0]);
});
