import type { Reporter, TestModule } from "vitest/node";

/** Closes the log with one line that counts, and names what was skipped and why it was. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    const skipped: string[] = [];
    for (const module of modules) {
      // A hook that failed is a suite's own error: its tests only count as skipped.
      const failed = [module, ...module.children.allSuites()].filter((suite) => suite.errors().length > 0);
      count.failed += failed.length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "pending") continue;
        count[state] += 1;
        if (state === "skipped") skipped.push(`skipped: ${module.relativeModuleId} > ${test.fullName}`);
      }
    }
    const lines = [
      ...skipped.sort(),
      `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}
