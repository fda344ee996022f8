// The base image, as one gzipped layer, pushed by plain requests.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/**
 * @param archive where the layer is kept between runs
 * @param time that the files have: another one is another base
 */
export function packBase(directory, archive, time = 0) {
  if (!existsSync(archive)) {
    const command = `tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@${time} -C '${directory}' -cf - . | gzip -n -6 > '${archive}.part'`;
    execFileSync("bash", ["-o", "pipefail", "-c", command]);
    renameSync(`${archive}.part`, archive);
  }
  const layer = readFileSync(archive);
  return { layer, diffId: digestOf(gunzipSync(layer)) };
}

/** Gives the digest of its manifest. */
export async function pushBase({ layer, diffId }, origin, repository, tag) {
  const config = Buffer.from(
    JSON.stringify({
      created: "2026-01-01T00:00:00Z",
      architecture: "amd64",
      os: "linux",
      config: { Env: ["PATH=/usr/bin:/bin"], Cmd: ["/bin/sh"] },
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created: "2026-01-01T00:00:00Z", created_by: "COPY rootfs /" }],
    }),
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
  };
  for (const blob of [config, layer]) {
    const session = await send("POST", `${origin}/v2/${repository}/blobs/uploads/`);
    const place = new URL(session.headers.get("location"), origin).href;
    await send("PUT", `${place}${place.includes("?") ? "&" : "?"}digest=${digestOf(blob)}`, blob);
  }
  const body = Buffer.from(JSON.stringify(manifest));
  await send("PUT", `${origin}/v2/${repository}/manifests/${tag}`, body, mediaType);
  return digestOf(body);
}

function descriptor(mediaType, bytes) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function digestOf(bytes) {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function send(method, url, body, type = "application/octet-stream") {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body, headers: { "Content-Type": type } }),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}
