/** Every option of a type, so that a new one cannot be forgotten. */
export type Known<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses options that are none: a misspelt one would be without effect, and nobody would know.
 *
 * @throws {TypeError}
 */
export function refuseUnknown<T extends object>(options: T | undefined, known: Known<T>, what: string): void {
  for (const name of Object.keys(options ?? {})) {
    if (!Object.hasOwn(known, name)) throw new TypeError(`${name} is not an option of ${what}.`);
  }
}
