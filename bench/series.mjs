// The runs of a workload. Those of one series come one after the other, with what the tool and the registry keep; each series
// begins with a tool that knows nothing and a registry that has the base alone.

export const runTitles = {
  first: "first build and push, nothing known of the base",
  known: "first build and push over a base that the tool knows already",
  again: "the same again, unchanged",
  pinned: "the same again, unchanged, over a base that is pinned by its digest",
  changed: "one file more",
  swapped: "over another base of the same tag",
};

/**
 * `before` is a script that is run first and not measured, `undefined` where the tool has none: then it has no such row. `script` is
 * what is measured.
 *
 * @type {{ runs: string[], isPinned: boolean, before?: Function, script: Function }[]}
 */
export const series = [
  {
    runs: ["first", "again", "changed", "swapped"],
    isPinned: false,
    before: () => "",
    script: (tool, job) => tool.script(job),
  },
  {
    runs: ["known"],
    isPinned: false,
    before: (tool, job, other) => tool.learn?.(job, other),
    script: (tool, job) => (tool.known ?? tool.script)(job),
  },
  {
    runs: ["pinned"],
    isPinned: true,
    before: (tool, job) => (tool.takesDigest === false ? undefined : tool.script(job)),
    script: (tool, job) => tool.script(job),
  },
];
