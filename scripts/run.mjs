/**
 * `node scripts/run.mjs <what> [arguments...]`, with any Node from 18 on: sets up what is missing (the
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

/** @type {(script: string) => (args: string[]) => Promise<number>} */
const runs = (script) => (args) => runHere(root, [join(root, script), ...args])
const vitest = (/** @type {string[]} */ ...args) =>
  runHere(root, [join(root, 'node_modules/.bin/vitest'), 'run', '--root', root, ...args])
/** Builds the packages, and then runs what needs them. @param {() => Promise<number>} next */
const withPackages = async (next) => (await runs('scripts/deb.mjs')([])) || next()

/** @typedef {'system' | 'machines' | 'clocks' | 'bundles'} Need */
/** @type {Record<string, { needs: Need[], run: (args: string[]) => Promise<number> }>} */
const targets = {
  demo: { needs: ['system', 'bundles'], run: runs('dist/demo.js') },
  bench: { needs: ['system', 'bundles'], run: runs('dist/bench.js') },
  test: { needs: ['system', 'bundles'], run: (args) => vitest(...args) },
  'test:machines': {
    needs: ['system', 'machines', 'bundles'],
    run: (args) =>
      withPackages(() => vitest('--mode', 'machines', ...(args.length > 0 ? args : ['test/machines']))),
  },
  lab: {
    needs: ['system', 'machines', 'bundles'],
    run: (args) => withPackages(() => runs('dist/machines.js')(args)),
  },
  faults: { needs: ['system', 'clocks', 'bundles'], run: runs('dist/faults.js') },
  check: { needs: [], run: () => check(root) },
  build: { needs: ['bundles'], run: async () => 0 },
  deb: { needs: ['bundles'], run: runs('scripts/deb.mjs') },
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
  if (!target)
    throw new Sentence(`Usage: node scripts/run.mjs <${Object.keys(targets).join('|')}> [arguments...]`)
  await setUp(target.needs)
  return target.run(args)
}

/**
 * Looks first without the lock, so that nothing is waited for when nothing is to do; and again with it, as whoever held
 * it may have done the work.
 * @param {readonly Need[]} needs
 */
async function setUp(needs) {
  if (needs.includes('system'))
    await ensureSystem({ machines: needs.includes('machines'), clocks: needs.includes('clocks') })
  const current = () => modulesAreCurrent(root) && (!needs.includes('bundles') || bundlesAreCurrent(root))
  if (current()) return
  await withLock(join(root, 'dist/.lock'), async (lock) => {
    if (!modulesAreCurrent(root)) await installModules(root, lock)
    if (needs.includes('bundles') && !bundlesAreCurrent(root)) await build(root)
  })
}
