// Medians over the rounds, as Markdown; each figure with its ratio to ours of the same run.
import { formatGoals } from "./goals.mjs";
import { median } from "./median.mjs";
import { runTitles } from "./series.mjs";

const columns = [
  { key: "wall", title: "wall s", digits: 2, scale: 1 },
  { key: "cpu", title: "CPU s", digits: 2, scale: 1 },
  { key: "peak", title: "peak MB", digits: 0, scale: 1 },
  { key: "sent", title: "sent MB", digits: 2, scale: 1e6 },
  { key: "received", title: "received MB", digits: 2, scale: 1e6 },
  { key: "requests", title: "requests", digits: 0, scale: 1 },
  { key: "written", title: "written MB", digits: 0, scale: 1e6 },
];

export function formatTables(report, workloads) {
  const { machine, rounds, base, empty, start } = report;
  const facts = [
    report.date.slice(0, 10),
    `${machine.cores} cores (${machine.cpu})`,
    `Node ${machine.node}`,
    `medians of ${rounds}`,
    `base layer ${(base.layerBytes / 1e6).toFixed(1)} MB gzipped`,
  ];
  const figure = (key, digits) => median(empty.map((run) => run[key])).toFixed(digits);
  const head = [
    `${facts.join(", ")}.`,
    ...(empty.length > 0
      ? [`An empty program of Node: ${figure("wall", 3)} s, ${figure("cpu", 2)} s of CPU.`]
      : []),
    "In brackets: as a multiple of ours.",
  ].join(" ");
  const tables = Object.entries(workloads).flatMap(([name, { title }]) =>
    Object.keys(runTitles).flatMap((run) => {
      const rows = report.results.filter((row) => row.workload === name && row.run === run);
      return rows.length === 0 ? [] : [formatTable(`${title}, ${runTitles[run]}`, rows)];
    }),
  );
  const versions = Object.entries(report.versions).map(([name, version]) => `- ${name}: ${version}`);
  const failures = report.results.filter(({ error }) => error !== undefined);
  const notes = failures.map(({ tool, workload, error }) => `- ${tool}, ${workload}: ${error}`);
  return [
    head,
    ...formatGoals(report),
    ...(start === undefined ? [] : [formatStart(start)]),
    ...tables,
    [...versions, ...notes].join("\n"),
  ]

    .join("\n\n")
    .concat("\n");
}

function formatStart({ rounds, undocked, node, ratio }) {
  return [
    `### Start-up, medians of ${rounds} rounds in turns`,
    "",
    "| program | wall s | multiple of Node's |",
    "| --- | ---: | ---: |",
    `| undocked --version | ${undocked.toFixed(4)} | ${ratio.toFixed(2)} |`,
    `| node -e 0 | ${node.toFixed(4)} | 1.00 |`,
  ].join("\n");
}

function formatTable(title, rows) {
  const tools = [...new Set(rows.map(({ tool }) => tool))];
  const medians = new Map(
    tools.map((tool) => {
      const own = rows.filter((row) => row.tool === tool);
      return [tool, Object.fromEntries(columns.map(({ key }) => [key, median(own.map((row) => row[key]))]))];
    }),
  );
  const ours = medians.get("undocked");
  const cell = (tool, { key, digits, scale }) => {
    const value = medians.get(tool)[key];
    if (value === undefined) return "";
    const shown = (value / scale).toFixed(digits);
    if (ours === undefined || tool === "undocked" || ours[key] === 0) return shown;
    return `${shown} (${(value / ours[key]).toFixed(2)})`;
  };
  return [
    `### ${title}`,
    "",
    `| tool | ${columns.map(({ title }) => title).join(" | ")} | right |`,
    `| --- | ${columns.map(() => "---:").join(" | ")} | --- |`,
    ...tools.map(
      (tool) =>
        `| ${tool} | ${columns.map((column) => cell(tool, column)).join(" | ")} | ${verdict(rows, tool)} |`,
    ),
  ].join("\n");
}

function verdict(rows, tool) {
  return rows.every((row) => row.tool !== tool || row.right) ? "yes" : "no";
}
