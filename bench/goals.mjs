// What was set out to be reached, beside what a report has of it.
import { median } from "./median.mjs";

const peers = { umoci: "umoci + skopeo", buildah: "buildah (overlay)", containerify: "containerify" };

/** Rows of a workload's run by a tool, as one figure; `undefined` where there are none. */
function figure({ results }, workload, run, tool, value) {
  const rows = results.filter((row) => row.workload === workload && row.run === run && row.tool === tool);
  return median(rows.map(value));
}

function ours(workload, run, value) {
  return (report) => figure(report, workload, run, "undocked", value);
}

function ratio(workload, run, peer, key) {
  return (report) => {
    const theirs = figure(report, workload, run, peers[peer], (row) => row[key]);
    const own = figure(report, workload, run, "undocked", (row) => row[key]);
    return theirs === undefined || own === undefined ? undefined : own / theirs;
  };
}

/** `limit` is the most that reaches the goal. */
const goals = [
  {
    title: "10,000 files: bytes sent, of umoci + skopeo",
    limit: 1,
    of: ratio("small", "first", "umoci", "sent"),
  },
  ...["first", "known"].flatMap((run) => {
    const base = run === "first" ? "unknown base" : "known base";
    return [
      {
        title: `10,000 files, ${base}: wall, of umoci + skopeo`,
        limit: 0.75,
        of: ratio("small", run, "umoci", "wall"),
      },
      {
        title: `10,000 files, ${base}: wall, of buildah`,
        limit: 0.15,
        of: ratio("small", run, "buildah", "wall"),
      },
      {
        title: `10,000 files, ${base}: CPU, of containerify`,
        limit: 0.5,
        of: ratio("small", run, "containerify", "cpu"),
      },
      {
        title: `512 MiB of noise, ${base}: wall, of umoci + skopeo`,
        limit: 0.55,
        of: ratio("big", run, "umoci", "wall"),
      },
      {
        title: `512 MiB of noise, ${base}: CPU, of containerify`,
        limit: 0.2,
        of: ratio("big", run, "containerify", "cpu"),
      },
      {
        title: `512 MiB of JavaScript, ${base}: wall, of umoci + skopeo`,
        limit: 0.75,
        of: ratio("text", run, "umoci", "wall"),
      },
    ];
  }),
  {
    title: "10,000 files unchanged, pinned base: requests",
    limit: 1,
    of: ours("small", "pinned", (row) => row.requests),
  },
  {
    title: "10,000 files unchanged: bytes on the wire",
    limit: 10_000,
    of: ours("small", "again", (row) => row.sent + row.received),
  },
  {
    title: "10,000 files unchanged: seconds more than an empty program",
    limit: 0.2,
    of: overEmpty("small", "again"),
  },
  { title: "100,000 files unchanged: seconds", limit: 1.5, of: ours("many", "again", (row) => row.wall) },
  {
    title: "10,000 files, known base: bytes received, answers to requests",
    limit: 10_000,
    of: ours("small", "known", (row) => row.received),
  },
  {
    title: "10,000 files, another base: bytes sent, no layer among them",
    limit: 20_000,
    of: ours("small", "swapped", (row) => row.sent),
  },
  { title: "peak memory of any run, MB", limit: 200, of: (report) => peak(report, () => true) },
  {
    title: "peak memory of 512 MiB of noise, MB",
    limit: 150,
    of: (report) => peak(report, (row) => row.workload === "big"),
  },
  { title: "undocked --version, of an empty program", limit: 1.5, of: ({ start }) => start?.ratio },
];

/** A table of those that the report has figures for; smaller trees say nothing of them. */
export function formatGoals(report) {
  if (report.scale !== 1) return [];
  const rows = goals.flatMap(({ title, limit, of }) => {
    const value = of(report);
    if (value === undefined) return [];
    const shown = Number.isInteger(value) ? value : value.toFixed(value < 10 ? 2 : 0);
    return [`| ${title} | ${shown} | ${limit} | ${value <= limit ? "yes" : "no"} |`];
  });
  if (rows.length === 0) return [];
  return [
    ["### Goals", "", "| | measured | at most | reached |", "| --- | ---: | ---: | --- |", ...rows].join(
      "\n",
    ),
  ];
}

function overEmpty(workload, run) {
  return (report) => {
    const wall = figure(report, workload, run, "undocked", (row) => row.wall);
    return wall === undefined ? undefined : wall - median(report.empty.map((row) => row.wall));
  };
}

function peak({ results }, isMeant) {
  const rows = results.filter((row) => row.tool === "undocked" && row.peak !== undefined && isMeant(row));
  return rows.length === 0 ? undefined : Math.max(...rows.map((row) => row.peak));
}
