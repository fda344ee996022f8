/** Bounds what the layers of an image have in all, while they are read together. */
export interface EntryBudget {
  /** Whether it was passed. */
  readonly isSpent: boolean;
  /**
   * Takes note of how much a layer has so far, which may begin anew.
   *
   * @param layer - its position
   * @throws what it was made with
   */
  note(layer: number, entries: number): void;
}

/** @param spent - what to throw */
export function entryBudget(most: number, spent: () => Error): EntryBudget {
  const noted: number[] = [];
  let sum = 0;
  let isSpent = false;
  return {
    get isSpent() {
      return isSpent;
    },
    note(layer, entries) {
      sum += entries - (noted[layer] ?? 0);
      noted[layer] = entries;
      isSpent ||= sum > most;
      if (isSpent) throw spent();
    },
  };
}
