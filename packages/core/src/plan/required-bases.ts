import type { Location } from "@undocked/registry";
import type { StageNode } from "./graph.ts";
import type { CopySource, RequiredBase, StageBase } from "./plan.ts";

/** What the stages rest on, each once; a base that files are also copied from is a base. */
export function requiredBases(nodes: readonly StageNode[]): RequiredBase[] {
  const bases = new Map<string, RequiredBase>();
  const add = (source: StageBase | CopySource, written: string, use: RequiredBase["use"], at: Location) => {
    if (source.kind !== "image" && source.kind !== "named") return;
    const { key, kind, platform } = source;
    const reference = source.kind === "image" ? source.reference : source.name;
    const known = bases.get(key);
    if (known === undefined) bases.set(key, { key, kind, reference, written, platform, use, at });
    else if (use === "from") bases.set(key, { ...known, use });
  };
  for (const { stage, from, tasks } of nodes) {
    if (from.base !== undefined) add(from.base, from.written, "from", stage.from.at);
    for (const { instruction, source, at } of tasks) {
      if (source !== undefined && instruction.kind === "copy")
        add(source, instruction.from ?? "", "copy", at);
    }
  }
  return [...bases.values()];
}
