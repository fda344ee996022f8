// Whether an image that was pushed is what was asked for.
import { gunzipSync } from "node:zlib";

/**
 * On a base whose /bin is a link to usr/bin, no layer may make a directory of /bin: every program in it would be gone.
 */
export async function isRight(origin, repository, tag, into) {
  const get = async (path, headers) => {
    const response = await fetch(`${origin}/v2/${repository}/${path}`, { headers });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response;
  };
  const accept =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
  const manifest = await (await get(`manifests/${tag}`, { Accept: accept })).json();
  if (into !== "/bin") return manifest.layers.length > 1;
  for (const { digest } of manifest.layers.slice(1)) {
    const bytes = Buffer.from(await (await get(`blobs/${digest}`)).arrayBuffer());
    const tar = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
    if (namesOf(tar).some((name) => /^\.?\/?bin(?:\/|$)/.test(name))) return false;
  }
  return true;
}

/** Of a tar of short names. */
function namesOf(tar) {
  const names = [];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const text = (from, length) => tar.toString("latin1", at + from, at + from + length).split("\0", 1)[0];
    names.push(text(0, 100));
    at += 512 + Math.ceil(Number.parseInt(text(124, 12) || "0", 8) / 512) * 512;
  }
  return names;
}
