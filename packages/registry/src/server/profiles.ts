import type { Fault } from "./faults.ts";
import type { RegistryServerOptions } from "./registry-server.ts";

/** Hosted registries whose ways are known. */
export type RegistryProfileName =
  | "acr"
  | "dockerhub"
  | "ecr"
  | "ecr-public"
  | "gar"
  | "ghcr"
  | "harbor"
  | "quay";

/** Options that make a registry behave as a hosted one does. */
export type RegistryProfile = Required<Pick<RegistryServerOptions, "auth" | "faults">>;

const MIB = 1024 * 1024;
const tokens = { type: "bearer", anonymous: "pull", users: { user: "password" } } as const;
// A signed URL on another host, at which an Authorization header is an error.
const storage: Fault = { kind: "storage" };
const noDigest: Fault = {
  kind: "headers",
  method: "GET",
  path: /\/manifests\//,
  headers: { "docker-content-digest": null },
};
const noReferrers: readonly Fault[] = [
  { kind: "status", status: 404, path: /\/referrers\// },
  { kind: "headers", method: "PUT", path: /\/manifests\//, headers: { "oci-subject": null } },
];
const noChunks: Fault = { kind: "status", status: 405, method: "PATCH" };

/**
 * How hosted registries differ from the specification and from each other, as far as clients notice it:
 * `startRegistry(registryProfiles.ghcr)`. Those that ask who one is know `user` with `password` (ECR: `AWS`), and give
 * everybody what there is to pull, except ECR.
 */
export const registryProfiles: Readonly<Record<RegistryProfileName, RegistryProfile>> = {
  /** Azure: its storage answers 400 to a credential. */
  acr: { auth: tokens, faults: [storage] },
  /** Tells how many pulls are left; blobs come from a content network. */
  dockerhub: {
    auth: tokens,
    faults: [
      storage,
      {
        kind: "headers",
        path: /\/manifests\//,
        headers: { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "99;w=21600" },
      },
    ],
  },
  /** Basic, and nothing for nobody; mounts nothing unless its account is set to; one piece a blob; no digest header. */
  ecr: {
    auth: { type: "basic", users: { AWS: "password" } },
    faults: [storage, noChunks, noDigest, { kind: "no-mount" }],
  },
  /** As ECR, with tokens, and open to everybody. */
  "ecr-public": { auth: tokens, faults: [storage, noChunks, noDigest, ...noReferrers, { kind: "no-mount" }] },
  /** Artifact Registry takes a blob in one piece only. */
  gar: { auth: tokens, faults: [noChunks] },
  /** A piece that says its place in the blob has at most 4 MiB. */
  ghcr: { auth: tokens, faults: [storage, ...noReferrers, { kind: "chunk-limit", bytes: 4 * MIB }] },
  /** A mount that may not be is a 401, which no token can change. */
  harbor: { auth: tokens, faults: [{ kind: "status", status: 401, method: "POST", path: /[?&]mount=/ }] },
  /** A mount that does not say from where is an error. */
  quay: {
    auth: tokens,
    faults: [
      storage,
      {
        kind: "status",
        status: 400,
        method: "POST",
        path: /[?&]mount=/,
        when: ({ path }) => !/[?&]from=/.test(path),
      },
    ],
  },
};
