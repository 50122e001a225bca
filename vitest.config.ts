import { readFile } from 'node:fs/promises'
import { defineConfig } from 'vitest/config'
import SkipReporter from './test/setup/skip-reporter.ts'

// Where .ci/run reads the numbers from.
const json = process.env.NETQ_TEST_JSON
const shown = ['default', new SkipReporter()] as const

export default defineConfig(({ mode }) => ({
  plugins: [
    {
      // `import source from './netq.lua'` is the file's text, as in the bundles (scripts/build.mjs).
      name: 'lua-as-text',
      enforce: 'pre',
      async load(id) {
        if (!id.endsWith('.lua')) return null
        return `export default ${JSON.stringify(await readFile(id, 'utf8'))}`
      },
    },
  ],
  test: {
    include: ['test/**/*.test.ts'],
    // They boot machines for minutes: `npm run test:machines`.
    exclude: mode === 'machines' ? [] : ['test/machines/**'],
    globalSetup: ['test/setup/leaks.ts'],
    // Servers that elect a master need seconds; a machine with other work on it needs several times as many.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two: most of a server's test is waiting. Statuses are polled for, so that a busy second is no failure.
    // Booted machines have one network between them.
    maxWorkers: mode === 'machines' ? 1 : 2,
    // A machine that others load too stalls servers for seconds; the second try is shown as one.
    retry: process.env.CI ? 1 : 0,
    reporters: json ? [...shown, ['json', { outputFile: json }]] : [...shown],
  },
}))
