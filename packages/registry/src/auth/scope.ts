/** What a token allows (distribution's token scope grammar): `type:name:action,action`. */
export interface ResourceScope {
  readonly type: string;
  /** May hold a colon itself: a host with its port. */
  readonly name: string;
  readonly actions: readonly string[];
}

/** `undefined` for a scope of another form, which is passed on as it is: public ECR asks for `aws`. */
export function parseScope(scope: string): ResourceScope | undefined {
  const first = scope.indexOf(":");
  const last = scope.lastIndexOf(":");
  if (first <= 0 || last === first) return undefined;
  return {
    type: scope.slice(0, first),
    name: scope.slice(first + 1, last),
    actions: scope
      .slice(last + 1)
      .split(",")
      .filter((action) => action !== ""),
  };
}

/** Scopes for one repository. */
export function repositoryScope(repository: string, ...actions: readonly string[]): string {
  return `repository:${repository}:${[...actions].sort().join(",")}`;
}

/** One scope a resource, with all its actions, in a fixed order: equal sets of scopes give equal lists. */
export function mergeScopes(scopes: readonly string[]): readonly string[] {
  return orderedScopes(scopes).toSorted();
}

/**
 * What to ask a token server for, in this order: some read only the first.
 *
 * @param wanted - for the request: the destination first, then what is mounted from
 * @param demanded - what the server's challenge names. A scope that is no resource's is only asked for if nothing else is
 */
export function requestScopes(wanted: readonly string[], demanded: readonly string[]): readonly string[] {
  const named = demanded.filter((scope) => parseScope(scope) !== undefined);
  const asked = orderedScopes([...named, ...wanted]);
  return asked.length > 0 ? asked : orderedScopes(demanded);
}

function orderedScopes(scopes: readonly string[]): readonly string[] {
  const actionsOf = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const parsed = parseScope(scope);
    if (parsed === undefined) {
      if (scope !== "") actionsOf.set(scope, new Set());
    } else if (parsed.actions.length > 0) {
      const key = `${parsed.type}:${parsed.name}:`;
      const actions = actionsOf.get(key) ?? new Set();
      for (const action of parsed.actions) actions.add(action);
      actionsOf.set(key, actions);
    }
  }
  return [...actionsOf].map(([key, actions]) => {
    // `*` is everything already.
    const all = actions.has("*") ? ["*"] : [...actions].sort();
    return key + all.join(",");
  });
}
