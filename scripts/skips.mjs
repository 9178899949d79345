// A vitest reporter that says why a test was skipped: the words given to `context.skip("…")`.
// oxlint-disable-next-line import/no-default-export -- vitest takes a reporter as the default export
export default class SkipReporter {
  onTestRunEnd(modules) {
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const reason = test.result().note ?? "no reason given";
        console.log(`skipped: ${module.relativeModuleId}: ${test.fullName} (${reason})`);
      }
    }
  }
}
