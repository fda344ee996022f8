import { readFileSync } from "node:fs";
import { digestOf, encodeJson, memoryStore, type Descriptor, type MemoryStore } from "@undocked/registry";
import type { TarEntry } from "@undocked/registry/tar";
import { makeImage, makeIndex, put, type MadeImage } from "./make-image.ts";
import { findProgram } from "./tools.ts";

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const applets = ["cat", "echo", "env", "ls", "pwd", "sleep", "true"];

/**
 * As amazonlinux: merged `/usr`, one layer, `Cmd ["/bin/bash"]`, and an index with linux/amd64, linux/arm64/v8 and two
 * attestations. It starts where Debian's busybox-static is at hand, else its shell is only there to be looked at.
 */
export async function mergedUsrBase(): Promise<MadeImage> {
  const store = memoryStore();
  const config = { Env: [path], Cmd: ["/bin/bash"] };
  const history = [
    { created_by: "COPY /rootfs/ / # buildkit" },
    { created_by: 'CMD ["/bin/bash"]', empty_layer: true },
  ];
  const amd64 = { architecture: "amd64", os: "linux" };
  const arm64 = { architecture: "arm64", os: "linux", variant: "v8" };
  const first = await makeImage({ store, config, history, platform: amd64, layers: [mergedUsr("x86_64")] });
  const second = await makeImage({ store, config, history, platform: arm64, layers: [mergedUsr("aarch64")] });
  return makeIndex(store, [
    { ...first.root, platform: amd64 },
    { ...second.root, platform: arm64 },
    await attestation(store, first.root),
    await attestation(store, second.root),
  ]);
}

/** As alpine: `/bin`, `/sbin` and `/lib` are directories, and `/bin/sh` an absolute link into them. */
export async function plainBase(): Promise<MadeImage> {
  return makeImage({
    config: { Env: [path], Cmd: ["/bin/sh"] },
    history: [
      { created_by: "ADD alpine-minirootfs.tar.gz / # buildkit" },
      { created_by: 'CMD ["/bin/sh"]', empty_layer: true },
    ],
    layers: [
      [
        ...[
          "bin",
          "etc",
          "home",
          "lib",
          "root",
          "sbin",
          "usr",
          "usr/bin",
          "usr/lib",
          "usr/sbin",
          "var",
          "var/lib",
        ].map((name) => directory(name)),
        directory("tmp", 0o1777),
        file("bin/busybox", shell(), 0o755),
        ...["sh", ...applets].map((name) => link(`bin/${name}`, "/bin/busybox")),
        file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"),
        file("etc/group", "root:x:0:root\nnobody:x:65534:\n"),
        file("etc/os-release", 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.0\n'),
      ],
    ],
  });
}

/** As public.ecr.aws/lambda: merged `/usr`, `LAMBDA_TASK_ROOT=/var/task`, one manifest, two layers. umoci reads OCI's types alone. */
export async function lambdaBase(types: "oci" | "docker" = "docker"): Promise<MadeImage> {
  return makeImage({
    types,
    config: {
      Env: [path, "LANG=en_US.UTF-8", "LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime"],
      WorkingDir: "/var/task",
      Entrypoint: ["/lambda-entrypoint.sh"],
    },
    history: [
      { created_by: "COPY /rootfs/ / # buildkit" },
      { created_by: "ENV LAMBDA_TASK_ROOT=/var/task", empty_layer: true },
      { created_by: "COPY lambda-entrypoint.sh / # buildkit" },
      { created_by: 'ENTRYPOINT ["/lambda-entrypoint.sh"]', empty_layer: true },
    ],
    layers: [
      mergedUsr("x86_64"),
      [
        file("lambda-entrypoint.sh", '#!/bin/sh\nexec "$@"\n', 0o755),
        directory("var"),
        directory("var/runtime"),
        directory("var/task"),
      ],
    ],
  });
}

export function directory(name: string, mode = 0o755): TarEntry {
  return { header: { path: name, kind: "directory", mode, uid: 0, gid: 0, mtime: 1_750_000_000, size: 0 } };
}

export function file(name: string, content: string | Uint8Array, mode = 0o644): TarEntry {
  const body = Buffer.from(content);
  const size = body.byteLength;
  return { header: { path: name, kind: "file", mode, uid: 0, gid: 0, mtime: 1_750_000_000, size }, body };
}

export function link(name: string, linkTarget: string): TarEntry {
  const header = {
    path: name,
    kind: "symlink",
    mode: 0o777,
    uid: 0,
    gid: 0,
    mtime: 1_750_000_000,
    size: 0,
  } as const;
  return { header: { ...header, linkTarget } };
}

function mergedUsr(machine: string): readonly TarEntry[] {
  const directories = [
    "etc",
    "home",
    "opt",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/local",
    "usr/local/bin",
  ];
  return [
    ...["bin", "sbin", "lib", "lib64"].map((name) => link(name, `usr/${name}`)),
    ...[...directories, "usr/sbin", "var", "var/lib", "var/log"].map((name) => directory(name)),
    directory("root", 0o550),
    directory("tmp", 0o1777),
    directory("var/tmp", 0o1777),
    link("var/run", "../run"),
    directory("run"),
    file("usr/bin/busybox", shell(), 0o755),
    ...["sh", "bash", ...applets].map((name) => link(`usr/bin/${name}`, "busybox")),
    file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\n"),
    file("etc/group", "root:x:0:\nbin:x:1:\n"),
    file("etc/os-release", `NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\n`),
    file("etc/machine", `${machine}\n`),
  ];
}

function shell(): Uint8Array {
  const busybox = findProgram("busybox");
  return busybox === undefined ? Buffer.from("no shell here\n") : readFileSync(busybox);
}

async function attestation(store: MemoryStore, subject: Descriptor): Promise<Descriptor> {
  const statement = encodeJson({
    _type: "https://in-toto.io/Statement/v0.1",
    subject: [{ digest: subject.digest }],
  });
  const layer = await put(store, "application/vnd.in-toto+json", statement);
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const platform = { architecture: "unknown", os: "unknown" };
  const config = await put(
    store,
    "application/vnd.oci.image.config.v1+json",
    encodeJson({ ...platform, config: {}, rootfs: { type: "layers", diff_ids: [digestOf(statement)] } }),
  );
  const manifest = await put(
    store,
    mediaType,
    encodeJson({ schemaVersion: 2, mediaType, config, layers: [layer] }),
  );
  const annotations = {
    "vnd.docker.reference.digest": subject.digest,
    "vnd.docker.reference.type": "attestation-manifest",
  };
  return { ...manifest, annotations, platform };
}
