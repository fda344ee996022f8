// Wall time of each tool as a multiple of ours, as bars on a logarithmic scale.
import { runTitles } from "./series.mjs";
import { median } from "./median.mjs";

const width = 760;
const left = 230;
const row = 18;

export function chart(report, workloads) {
  const groups = Object.entries(workloads).flatMap(([name, { title, runs }]) =>
    runs.map((run) => ({ title: `${title}, ${runTitles[run]}`, bars: barsOf(report, name, run) })),
  );
  const shown = groups.filter(({ bars }) => bars.length > 1);
  const most = Math.max(2, ...shown.flatMap(({ bars }) => bars.map(({ ratio }) => ratio)));
  const scale = (ratio) => ((width - left - 60) * Math.log(1 + 4 * ratio)) / Math.log(1 + 4 * most);
  const lines = [];
  let y = 24;
  for (const { title, bars } of shown) {
    lines.push(`<text x="8" y="${y}" font-weight="bold">${escaped(title)}</text>`);
    y += row;
    for (const { tool, ratio } of bars) {
      const colour = tool.startsWith("undocked") ? "#2a7" : "#89a";
      lines.push(
        `<text x="${left - 8}" y="${y}" text-anchor="end">${escaped(tool)}</text>`,
        `<rect x="${left}" y="${y - 11}" width="${scale(ratio).toFixed(1)}" height="13" fill="${colour}"/>`,
        `<text x="${(left + scale(ratio) + 6).toFixed(1)}" y="${y}">${ratio.toFixed(2)}</text>`,
      );
      y += row;
    }
    y += 10;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...lines,
    "</svg>",
    "",
  ].join("\n");
}

function barsOf({ results }, workload, run) {
  const rows = results.filter((result) => result.workload === workload && result.run === run);
  const wall = (tool) => median(rows.filter((result) => result.tool === tool).map((result) => result.wall));
  const tools = [...new Set(rows.map(({ tool }) => tool))];
  return tools.includes("undocked")
    ? tools.map((tool) => ({ tool, ratio: wall(tool) / wall("undocked") }))
    : [];
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
