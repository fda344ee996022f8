import type { Call } from "./call.ts";
import type { Route } from "./route.ts";

export type Action = "pull" | "push" | "delete";

/** What may be done with one repository: docker's `repository:<name>:<actions>`. */
export interface Access {
  readonly name: string;
  readonly actions: readonly Action[];
}

/** What a request needs. */
export function neededAccess(call: Call, route: Route): readonly Access[] {
  switch (route.kind) {
    case "base":
    case "token":
      return [];
    case "uploads": {
      const from = call.query.get("mount") === null ? null : call.query.get("from");
      const target: Access = { name: route.name, actions: ["pull", "push"] };
      return from === null || from === route.name ? [target] : [target, { name: from, actions: ["pull"] }];
    }
    case "upload":
      return [{ name: route.name, actions: ["pull", "push"] }];
    case "blob":
    case "manifest":
    case "tags":
    case "referrers":
      return [{ name: route.name, actions: actionsOf(call.method) }];
  }
}

function actionsOf(method: string): readonly Action[] {
  if (method === "GET" || method === "HEAD") return ["pull"];
  return method === "DELETE" ? ["delete"] : ["pull", "push"];
}

export function formatScope(accesses: readonly Access[]): string {
  return accesses.map(({ name, actions }) => `repository:${name}:${actions.join(",")}`).join(" ");
}

/** Reads what token requests ask for; what is no scope of a repository is passed over. */
export function parseScopes(texts: readonly string[]): readonly Access[] {
  return texts
    .flatMap((text) => text.split(" "))
    .slice(0, 100)
    .flatMap((scope) => {
      const match = /^repository:([^ ]{1,255}):([a-z,*]{1,50})$/.exec(scope);
      const [, name = "", words = ""] = match ?? [];
      const named = words.split(",");
      const actions = (["pull", "push", "delete"] as const).filter(
        (action) => named.includes(action) || named.includes("*"),
      );
      return match === null ? [] : [{ name, actions }];
    });
}
