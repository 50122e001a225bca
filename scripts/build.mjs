/** Bundles the programs: src/cmd/<name>.ts, lab/demo.ts, lab/machines.ts, those of lab/faults and bench/bench.ts to dist/<name>.js (netq.cjs), each with all that it imports but npm packages. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { step } from './progress.mjs'
import { Sentence } from './sentence.mjs'

/**
 * Whether the bundles are those of the sources as they are now.
 * @param {string} root
 */
export function bundlesAreCurrent(root) {
  const stamp = stampIn(root)
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digestOf(root)) return false
  return entriesIn(root).every((entry) => existsSync(bundleOf(root, entry)))
}

/**
 * Makes the bundles. A running program keeps the one it was started with, and none is ever seen half written.
 * Throws a Sentence if the sources cannot be bundled; the bundles are then as they were.
 * @param {string} root
 */
export async function build(root) {
  const digest = digestOf(root)
  const entries = entriesIn(root)
  await step('Bundling the programs', async () => {
    const esbuild = await import('esbuild')
    try {
      const outputs = await Promise.all(
        [false, true].map((asScript) =>
          esbuild.build({
            absWorkingDir: root,
            entryPoints: entries.filter((entry) => isScript(entry) === asScript),
            entryNames: '[name]',
            outdir: join(root, 'dist'),
            bundle: true,
            platform: 'node',
            ...(asScript
              ? {
                  format: 'cjs',
                  outExtension: { '.js': '.cjs' },
                  define: { 'import.meta.dirname': '__dirname' },
                }
              : { format: 'esm' }),
            target: 'node24',
            packages: 'external',
            loader: { '.lua': 'text' },
            logLevel: 'silent',
            write: false,
          }),
        ),
      )
      mkdirSync(join(root, 'dist'), { recursive: true })
      for (const { path, contents } of outputs.flatMap(({ outputFiles }) => outputFiles)) {
        writeFileSync(`${path}.new`, contents)
        renameSync(`${path}.new`, path)
      }
    } catch (error) {
      const { errors } = /** @type {{ errors?: import('esbuild').Message[] }} */ (error)
      if (!errors) throw error
      const said = await esbuild.formatMessages(errors, {
        kind: 'error',
        color: process.stderr.isTTY === true,
      })
      process.stderr.write(`\n${said.join('')}`)
      throw new Sentence(
        'The sources cannot be bundled, for the reasons above. The programs in dist/ are as they were.',
      )
    } finally {
      // Its service would stay for as long as the demo runs.
      await esbuild.stop()
    }
  })
  removeOthers(root, entries)
  writeFileSync(stampIn(root), digest)
}

/** @param {string} root */
const stampIn = (root) => join(root, 'dist/.built-from')

/**
 * @param {string} root
 * @param {string} entry
 */
const bundleOf = (root, entry) =>
  join(root, 'dist', basename(entry).replace(/\.ts$/, isScript(entry) ? '.cjs' : '.js'))

/**
 * The command is typed by people and by loops: as a CommonJS script it starts in 1.4 times the time of an empty
 * program, as a module in 1.7 times.
 * @param {string} entry
 */
const isScript = (entry) => entry === 'src/cmd/netq.ts'

/** @param {string} root */
function entriesIn(root) {
  const programs = readdirSync(join(root, 'src/cmd')).filter((name) => name.endsWith('.ts'))
  return [
    ...programs.sort().map((name) => `src/cmd/${name}`),
    'lab/demo.ts',
    'lab/machines.ts',
    'lab/faults/faults.ts',
    'lab/faults/fault-run.ts',
    'lab/faults/fault-agent.ts',
    'lab/faults/fault-door.ts',
    'bench/bench.ts',
  ]
}

/**
 * Bundles of programs that are no more.
 * @param {string} root
 * @param {readonly string[]} entries
 */
function removeOthers(root, entries) {
  const wanted = entries.map((entry) => bundleOf(root, entry))
  for (const name of readdirSync(join(root, 'dist'))) {
    const path = join(root, 'dist', name)
    if (/\.c?js$/.test(name) && !wanted.includes(path)) rmSync(path)
  }
}

/**
 * Of all that a bundle depends on: the sources, the packages (esbuild among them), and how this file bundles.
 * @param {string} root
 */
function digestOf(root) {
  const hash = createHash('sha256')
  const sources = ['src', 'lab', 'bench'].flatMap((top) => filesBelow(join(root, top))).sort()
  for (const path of [...sources, join(root, 'package-lock.json'), join(root, 'scripts/build.mjs')]) {
    hash.update(`${path}\0`).update(readFileSync(path)).update('\0')
  }
  return hash.digest('hex')
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((item) => {
    const path = join(folder, item.name)
    if (item.isDirectory()) return filesBelow(path)
    return item.isFile() ? [path] : []
  })
}
