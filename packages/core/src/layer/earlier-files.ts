/** Counts the files of each path as they come: gives how many of that path came before. */
export function earlierFiles(): (path: string) => number {
  const passed = new Map<string, number>();
  return (path) => {
    const earlier = passed.get(path) ?? 0;
    passed.set(path, earlier + 1);
    return earlier;
  };
}
