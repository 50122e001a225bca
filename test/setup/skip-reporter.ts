import type { Reporter, TestModule } from 'vitest/node'

/** At the end of the run, one line for each test that was skipped, with its reason. */
export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        const reason = (result.state === 'skipped' && result.note) || 'no reason given'
        process.stdout.write(`Skipped: ${module.relativeModuleId} > ${test.fullName}: ${reason}\n`)
      }
    }
  }
}
