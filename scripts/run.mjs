/**
 * `node scripts/run.mjs <demo|bench|test|check|build> [arguments...]`, with any Node from 18 on: sets up what is missing (the
 * system's programs, the npm packages with Node 24, the bundles), then does it with Node 24.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, bundlesAreCurrent } from './build.mjs'
import { check } from './check.mjs'
import { runHere } from './child.mjs'
import { withLock } from './lock.mjs'
import { installModules, modulesAreCurrent } from './modules.mjs'
import { Sentence } from './sentence.mjs'
import { ensureSystem } from './system.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @type {Record<string, { needs: ('system' | 'bundles')[], run: (args: string[]) => Promise<number> }>} */
const targets = {
  demo: { needs: ['system', 'bundles'], run: (args) => runHere(root, [join(root, 'dist/demo.js'), ...args]) },
  bench: {
    needs: ['system', 'bundles'],
    run: (args) => runHere(root, [join(root, 'dist/bench.js'), ...args]),
  },
  test: {
    needs: ['system', 'bundles'],
    run: (args) => runHere(root, [join(root, 'node_modules/.bin/vitest'), 'run', '--root', root, ...args]),
  },
  check: { needs: [], run: () => check(root) },
  build: { needs: ['bundles'], run: async () => 0 },
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Sentence)) throw error
  console.error(error.message)
  process.exitCode = 1
}

/** @param {string[]} argv */
async function main([name = '', ...args]) {
  if (Number.parseInt(process.versions.node, 10) < 18) {
    throw new Sentence(
      `Node 18 or newer is needed to set netq up, and this is ${process.version}. Nothing was changed.`,
    )
  }
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined
  if (!target) throw new Sentence('Usage: node scripts/run.mjs <demo|bench|test|check|build> [arguments...]')
  await setUp(target.needs)
  return target.run(args)
}

/**
 * Looks first without the lock, so that nothing is waited for when nothing is to do; and again with it, as whoever held
 * it may have done the work.
 * @param {readonly ('system' | 'bundles')[]} needs
 */
async function setUp(needs) {
  if (needs.includes('system')) await ensureSystem()
  const current = () => modulesAreCurrent(root) && (!needs.includes('bundles') || bundlesAreCurrent(root))
  if (current()) return
  await withLock(join(root, 'dist/.lock'), async (lock) => {
    if (!modulesAreCurrent(root)) await installModules(root, lock)
    if (needs.includes('bundles') && !bundlesAreCurrent(root)) await build(root)
  })
}
