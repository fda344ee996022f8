import type { ImageConfig } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { DockerfileError } from "../dockerfile/error.ts";
import { parseDockerfile } from "../dockerfile/parse.ts";
import type { PlanOptions } from "./options.ts";
import { checkDockerfile, planStages } from "./plan-stages.ts";
import type { BuildPlan, StagePlan } from "./plan.ts";

const none: ReadonlyMap<string, ImageConfig> = new Map();

function plan(text: string, options: PlanOptions = {}, bases = none): BuildPlan {
  return planStages(parseDockerfile(text), options, bases);
}

function targetOf({ stages }: BuildPlan): StagePlan {
  const target = stages.at(-1);
  if (target === undefined) throw new Error("no stage was planned");
  return target;
}

function image(config: ImageConfig["config"] = {}): ImageConfig {
  return { architecture: "amd64", os: "linux", config, rootfs: { type: "layers", diff_ids: [] } };
}

function faultsOf(run: () => unknown): DockerfileError {
  try {
    run();
  } catch (error) {
    if (error instanceof DockerfileError) return error;
    throw error;
  }
  throw new Error("no fault was found");
}

const hybridless = `FROM public.ecr.aws/amazonlinux/amazonlinux:latest

# the application
COPY application /var/task
COPY includes /var/lib/
COPY license.json /bin/abc/config/license.json
WORKDIR /var/task
ENTRYPOINT $ENTRYPOINT
`;
const amazon = "public.ecr.aws/amazonlinux/amazonlinux:latest linux/amd64";

describe("planStages", () => {
  test("the seed's Dockerfile gives three copies, and its base's Cmd is reset", () => {
    const bases = new Map([[amazon, image({ Cmd: ["/bin/bash"], Env: ["PATH=/usr/bin"] })]]);
    const result = plan(hybridless, { entrypoint: "/bin/abc -d" }, bases);
    const { steps, config, from } = targetOf(result);
    expect(result.requiredBases).toMatchObject([{ key: amazon, kind: "image", use: "from" }]);
    expect(from).toMatchObject({ kind: "image", key: amazon });
    expect(steps.map(({ kind }) => kind)).toEqual(["copy", "copy", "copy", "workdir", "metadata"]);
    expect(steps[2]).toMatchObject({
      from: { kind: "context" },
      sources: ["license.json"],
      destination: "/bin/abc/config/license.json",
      createdBy: "COPY license.json /bin/abc/config/license.json # buildkit",
    });
    expect(config).toEqual({
      Env: ["PATH=/usr/bin", "ENTRYPOINT=/bin/abc -d"],
      Entrypoint: ["/bin/sh", "-c", "$ENTRYPOINT"],
      WorkingDir: "/var/task",
    });
    expect(result.warnings.map(({ code }) => code)).toEqual(["JSONArgsRecommended"]);
  });

  test("a $ENTRYPOINT that nothing sets is warned of", () => {
    const { warnings } = plan("FROM scratch\nENTRYPOINT exec ${ENTRYPOINT:-}\n");
    expect(warnings).toContainEqual(expect.objectContaining({ code: "ENTRYPOINT_UNSET" }));
    const set = plan("FROM scratch\nENV ENTRYPOINT=/x\nENTRYPOINT $ENTRYPOINT\n");
    expect(set.warnings.map(({ code }) => code)).not.toContain("ENTRYPOINT_UNSET");
  });

  test("an entrypoint that overrides is split as a shell splits words", () => {
    const text = 'FROM scratch\nENTRYPOINT ["/old"]\n';
    const { config } = targetOf(plan(text, { entrypoint: { override: `/bin/abc -d "two words" $X` } }));
    expect(config.Entrypoint).toEqual(["/bin/abc", "-d", "two words", "$X"]);
    const exact = targetOf(plan(text, { entrypoint: { override: ["/a b"] } }));
    expect(exact.config.Entrypoint).toEqual(["/a b"]);
  });

  test("EXPOSE of a variable that is not set exposes nothing", () => {
    const unset = plan("FROM scratch\nEXPOSE $PORT\n");
    expect(targetOf(unset).config.ExposedPorts).toBeUndefined();
    const set = plan("FROM scratch\nARG PORT\nEXPOSE $PORT\n", { buildArgs: { PORT: "8080" } });
    expect(targetOf(set).config.ExposedPorts).toEqual({ "8080/tcp": {} });
  });

  test("a build argument that no ARG takes is warned of", () => {
    const { warnings } = plan("FROM scratch\nARG VERSION\n", { buildArgs: { VERSIN: "1" } });
    expect(warnings).toMatchObject([
      { code: "BUILD_ARG_UNUSED", message: expect.stringContaining("did you mean VERSION?") },
    ]);
  });

  test("faults of one plan are told together, in the order of the text", () => {
    const { diagnostics } = faultsOf(() =>
      plan(
        "FROM scratch\nCOPY --chmod=64a a b\nRUN apt-get update && \\\n  apt-get install x\nSTOPSIGNAL X\n",
      ),
    );
    expect(diagnostics?.map(({ code, location }) => [code, location?.line])).toEqual([
      ["DOCKERFILE_INVALID", 2],
      ["DOCKERFILE_UNSUPPORTED", 3],
      ["DOCKERFILE_INVALID", 5],
    ]);
    expect(diagnostics?.[1]?.message).toContain("lines 3 to 4");
  });

  test.each([
    ["chmod +x run.sh", "--chmod=755"],
    ["sudo chown -R app /x", "--chown"],
    ["cd /x && mkdir -p a", "WORKDIR"],
    ["ln -s a b", "link"],
    ["set -ex; apk add --no-cache curl", "base image"],
    ["npm ci --omit=dev", "node_modules"],
    ["python -V; pip3 install -r x", "Install the dependencies"],
    ["curl -fsSL https://x | sh", "ADD"],
    ["echo a=1 >> /etc/conf", "heredoc"],
    ['["/bin/sh", "-c", "chmod 755 /x"]', "--chmod=755"],
    ["make", "COPY its result"],
  ])("the hint for RUN %s", (command, hint) => {
    expect(faultsOf(() => plan(`FROM scratch\nRUN ${command}\n`)).hint).toContain(hint);
  });

  test("a port that is none is underlined, with what would be one", () => {
    const { location, hint } = faultsOf(() => plan("FROM scratch\nEXPOSE 8082 80:x\n"));
    expect([location?.line, location?.column, location?.length]).toEqual([2, 13, 4]);
    expect(hint).toContain("EXPOSE 8082");
  });

  test("a fault that does not need the base is found before the base is known", () => {
    const { diagnostics } = faultsOf(() =>
      plan("FROM alpine\nCOPY --chmod=99 a $DIR/\nCOPY --chmod=$MODE a ${DIR:?}\nEXPOSE $PORT x\n"),
    );
    expect(diagnostics?.map(({ location }) => location?.line)).toEqual([2, 4]);
  });

  test("what only the base can define is provisional until it is known", () => {
    const text = "FROM public.ecr.aws/lambda/nodejs:20\nENV D=$LAMBDA_TASK_ROOT/lib/\nCOPY a $D\nCOPY b /b\n";
    const before = plan(text);
    expect(before.provisional).toBe(true);
    expect(targetOf(before).steps.map(({ provisional }) => provisional)).toEqual([true, true, false]);
    expect(before.warnings).toEqual([]);
    const base = image({ Env: ["LAMBDA_TASK_ROOT=/var/task"] });
    const [{ key } = { key: "" }] = before.requiredBases;
    const after = plan(text, {}, new Map([[key, base]]));
    expect(after.provisional).toBe(false);
    expect(targetOf(after).steps[1]).toMatchObject({ provisional: false, destination: "/var/task/lib/" });
  });

  test("a relative destination waits for the base's working directory", () => {
    const { steps } = targetOf(plan("FROM alpine\nCOPY a b\nWORKDIR /w\nCOPY a b\n"));
    expect(steps.map(({ provisional }) => provisional)).toEqual([true, false, false]);
  });

  test("only the stages that the target needs are planned", () => {
    const text =
      "FROM nowhere/a AS unused\nRUN make\nFROM scratch AS lib\nCOPY a /a\nFROM scratch\nCOPY --from=lib /a /b\nCOPY --from=alpine:3 /etc /etc\n";
    const { stages, requiredBases } = plan(text);
    expect(stages.map(({ index }) => index)).toEqual([1, 2]);
    expect(requiredBases).toMatchObject([
      { reference: "docker.io/library/alpine:3", written: "alpine:3", use: "copy", at: { line: 7 } },
    ]);
  });

  test("a stage below cannot be copied from", () => {
    const { message, location } = faultsOf(() =>
      plan("FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nFROM a\n"),
    );
    expect(message).toBe('cannot copy from stage "b", it needs to be defined before current stage "a"');
    expect(location?.line).toBe(2);
  });

  test("a target that there is not names the one that was meant", () => {
    const { message } = faultsOf(() => plan("FROM scratch AS build\n", { target: "biuld" }));
    expect(message).toBe('target stage "biuld" could not be found (did you mean build?)');
  });

  test("options of the caller come last", () => {
    const { config } = targetOf(plan("FROM scratch\nLABEL a=1 b=2\n", { labels: { b: "3", c: "4" } }));
    expect(config.Labels).toEqual({ a: "1", b: "3", c: "4" });
  });

  test("the epoch is the caller's, else the build argument's, else the global default's", () => {
    const text = "ARG SOURCE_DATE_EPOCH=1\nFROM scratch\n";
    expect(plan(text).sourceDateEpoch).toBe(1);
    expect(plan(text, { buildArgs: { SOURCE_DATE_EPOCH: "2" } }).sourceDateEpoch).toBe(2);
    expect(plan(text, { sourceDateEpoch: 3 }).sourceDateEpoch).toBe(3);
  });

  test("a git source of ADD is refused by name, a URL is planned", () => {
    const { message, code } = faultsOf(() => plan("FROM scratch\nADD https://github.com/a/b.git /x\n"));
    expect(code).toBe("DOCKERFILE_UNSUPPORTED");
    expect(message).toContain("https://github.com/a/b.git");
    const { steps } = targetOf(plan("FROM scratch\nADD https://x/y.tar z /d/\n"));
    expect(steps[0]).toMatchObject({
      urls: ["https://x/y.tar"],
      sources: ["https://x/y.tar", "z"],
      destination: "/d/",
    });
  });

  test("a doubling variable ends in a fault", () => {
    const text = `FROM scratch\nENV A=aaaa\n${"ENV A=$A$A\n".repeat(40)}`;
    expect(faultsOf(() => plan(text)).message).toContain("characters");
  });
});

describe("checkDockerfile", () => {
  test("tells faults and warnings and throws neither", () => {
    const found = checkDockerfile(parseDockerfile("FROM scratch AS A\nRUN x\nMAINTAINER me\n"));
    expect(found.map(({ code, severity }) => [code, severity])).toEqual([
      ["StageNameCasing", "warning"],
      ["DOCKERFILE_UNSUPPORTED", "error"],
      ["MaintainerDeprecated", "warning"],
    ]);
  });
});

describe("as BuildKit has it", () => {
  test.each([
    ["/app/", "/app/", "/app"],
    ["/a/b/../c", "/a/b/../c", "/a/c"],
    ["//x", "//x", "/x"],
    ["/x/\nWORKDIR y/", "/x/y", "/x/y"],
    ["/$UNSET/y", "//y", "/y"],
  ])("WORKDIR %s is %s in the configuration", (text, written, made) => {
    const target = targetOf(plan(`FROM scratch\nWORKDIR ${text}\n`));
    expect(target.config.WorkingDir).toBe(written);
    expect(target.steps.at(-1)).toMatchObject({ createdBy: `WORKDIR ${written}`, path: made });
  });

  test("a variable that nothing sets is warned of for each word that uses it", () => {
    const { warnings } = plan("FROM scratch\nENV a=$U$U b=$U\nCOPY $U/a b /x/$U/\n");
    expect(warnings.map(({ code, location }) => `${code} ${location?.line}`)).toEqual([
      "UndefinedVar 2",
      "UndefinedVar 2",
      "UndefinedVar 3",
      "UndefinedVar 3",
    ]);
  });

  test("checks call an instruction by the word that was written", () => {
    const { warnings } = plan('from scratch\nenv a b\ncmd x\ncmd ["y"]\n');
    expect(warnings.map(({ message }) => message)).toEqual([
      '"env key=value" should be used instead of legacy "env key value" format',
      expect.stringContaining("JSON arguments recommended for cmd"),
      expect.stringContaining("Multiple cmd instructions"),
    ]);
  });

  test.each([
    ["img:", "invalid reference format"],
    ["Img", "invalid reference format: repository name (library/Img) must be lowercase"],
    ["img@sha256:0123456789abcdef0123456789abcdef", "invalid checksum digest length"],
    ["img@md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm"],
    ["img@sha256:0123456789abcdef0123456789abcde", "invalid reference format"],
    [`img@sha256:${"g".repeat(64)}`, "invalid reference format"],
    [`img@sha256:${"A".repeat(64)}`, "invalid checksum digest format"],
    ["Img@x", "invalid reference format: repository name (library/Img@x) must be lowercase"],
  ])("the base's name %s is refused, even of a stage that nobody needs", (name, problem) => {
    expect(() => plan(`FROM ${name} AS unneeded\nFROM scratch\n`)).toThrow(
      expect.objectContaining({
        message: `failed to parse stage name "${name}": ${problem}`,
        location: expect.objectContaining({ line: 1 }),
      }),
    );
  });

  test.each(["ENV $A=x", "ENV $A x", "LABEL $A=x", 'LABEL ""=x'])("%s names nothing", (instruction) => {
    expect(() => plan(`FROM scratch\n${instruction}\n`)).toThrow(/^(ENV|LABEL) names can not be blank$/);
  });

  test.each([
    ["sha256:", "invalid checksum digest format"],
    ["sha256:ab", "invalid checksum digest length"],
    ["md5:ab", "unsupported digest algorithm"],
    [`sha256:${"G".repeat(64)}`, "invalid checksum digest format"],
  ])("--checksum=%s: %s", (checksum, problem) => {
    expect(() => plan(`FROM scratch\nADD --checksum=${checksum} http://localhost/f /\n`)).toThrow(problem);
  });

  test("what was meant is among the names that there were before the instruction", () => {
    const { warnings } = plan("FROM scratch\nENV OTHER=1\nENV NAMES=$NAME\nLABEL x=$NAME\n");
    expect(warnings.map(({ message }) => message)).toEqual([
      "Usage of undefined variable '$NAME'",
      "Usage of undefined variable '$NAME' (did you mean $NAMES?)",
    ]);
  });

  test("a platform that is nobody's variable tells which was meant", () => {
    expect(() => plan("ARG PLAT=linux/amd64\nFROM --platform=$PLATS scratch\n")).toThrow(
      "empty platform value from expression $PLATS (did you mean PLAT?)",
    );
  });

  test("the protocol of a port is told as it is written", () => {
    expect(() => plan("FROM scratch\nEXPOSE 80/TCPX\n")).toThrow(
      'invalid port: "80/TCPX": invalid proto: TCPX',
    );
  });

  test("of several stages of one name COPY --from means the last of all", () => {
    const [first, last] = ["FROM scratch AS a\n", "FROM scratch AS a\nLABEL last=1\n"];
    const copy = "FROM scratch\nCOPY --from=a /f /\n";
    expect(plan(first + last + copy).stages.map(({ index }) => index)).toEqual([1, 2]);
    expect(() => plan(first + copy + last + "FROM scratch\nCOPY --from=1 / /\n")).toThrow(
      'cannot copy from stage "a", it needs to be defined before current stage "stage-1"',
    );
    expect(() => plan(`${first + last}COPY --from=a /f /\n`)).toThrow(
      expect.objectContaining({ message: "circular dependency detected on stage: a" }),
    );
  });

  test("TARGETSTAGE is the target as the caller wrote it", () => {
    const options = { target: "BUILD" };
    const { stages } = plan("FROM scratch AS build\nARG TARGETSTAGE\nENV T=$TARGETSTAGE\n", options);
    expect(stages.at(-1)?.config.Env).toContain("T=BUILD");
    expect(() => plan("FROM scratch AS build\n", { target: "BUILS" })).toThrow("(did you mean build?)");
  });

  test("a comment above an instruction does not switch off what is about the whole text", () => {
    const text = "FROM scratch AS s\n# check=skip=all\nFROM scratch AS s\n# check=skip=all\nuser x\n";
    expect(plan(text).warnings.map(({ code }) => code)).toEqual([
      "DuplicateStageName",
      "ConsistentInstructionCasing",
    ]);
  });
});
