/** What has to be given back when a piece of work ends, whichever way. */
export interface Scope extends AsyncDisposable {
  readonly hold: <T extends AsyncDisposable>(resource: T) => T;
}

/** Disposes of what it holds, the last first. */
export function scope(): Scope {
  const held: AsyncDisposable[] = [];
  return {
    hold(resource) {
      held.push(resource);
      return resource;
    },
    async [Symbol.asyncDispose]() {
      for (let last = held.pop(); last !== undefined; last = held.pop()) await last[Symbol.asyncDispose]();
    },
  };
}
