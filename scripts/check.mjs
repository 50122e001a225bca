import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { environment, node24 } from './modules.mjs'

const checks = [
  { what: 'Types', argv: ['tsc', '--noEmit'] },
  { what: 'Format and lint', argv: ['biome', 'check'] },
  { what: 'What is used', argv: ['knip', '--no-progress'] },
]

/**
 * Runs all checks at once and reports each, with what it said if it failed.
 * @param {string} root
 * @returns {Promise<number>} the exit status: 1 if any failed
 */
export async function check(root) {
  const results = await Promise.all(checks.map(({ argv }) => run(root, argv)))
  for (const [index, { what, argv }] of checks.entries()) {
    const { ok, output } = results[index] ?? { ok: false, output: '' }
    process.stdout.write(
      ok ? `${what}: right (${argv[0]})\n` : `${output}\n${what}: wrong, see above (${argv[0]})\n`,
    )
  }
  return results.every(({ ok }) => ok) ? 0 : 1
}

/**
 * @param {string} root
 * @param {readonly string[]} argv
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
function run(root, [tool = '', ...rest]) {
  const program = join(root, 'node_modules/.bin', tool)
  const child = spawn(node24(root), [program, ...rest], {
    cwd: root,
    env: environment(root),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  return new Promise((end, reject) => {
    child.on('error', reject)
    child.on('close', (code) => end({ ok: code === 0, output }))
  })
}
