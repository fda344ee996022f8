import type { Reporter, TestModule } from "vitest/node";

/** Closes the log with one line that counts, and names what was skipped and why it was. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    const skipped: string[] = [];
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
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
