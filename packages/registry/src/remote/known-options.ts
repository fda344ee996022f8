/** Every option of a type, so that a new one cannot be forgotten. */
export type Known<T> = Readonly<Record<keyof T, true>>;

/**
 * The options that are given: without those that are `undefined`, which are as good as absent. Refuses what is no option: one
 * that is misspelt would be without effect, and nobody would know.
 *
 * @throws {TypeError}
 */
export function givenOptions<T extends object>(options: T, known: Known<T>, what: string): T {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name)) throw new TypeError(`${name} is not an option of ${what}.`);
  }
  return given(options);
}

/** The same without members that are `undefined`. */
export function given<T extends object>(members: T): T {
  const copy = { ...members };
  for (const [name, value] of Object.entries(copy)) {
    if (value === undefined) Reflect.deleteProperty(copy, name);
  }
  return copy;
}
