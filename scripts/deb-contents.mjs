/** What is where in the Debian packages. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { copyModule, modulesOf, packageFolder } from './deb-modules.mjs'
import { node24 } from './modules.mjs'

/**
 * @typedef {object} Build
 * @property {string} root the checkout
 * @property {string} version
 * @property {'amd64' | 'arm64'} arch
 * @property {'x64' | 'arm64'} cpu the same in Node's words
 * @property {Date} time of the last change: the packages are the same whenever they are built
 * @property {string} cache
 */

/** Where the programs are on an installed machine. */
const LIB = 'usr/lib/netq'

/** What netq-agent has; every other program of src/cmd is the telemetry server's, and in netq-ts. */
const agentPrograms = ['netq.cjs', 'netq-agent.js', 'netqd.js']
const agentUnits = ['netq-agent.service', 'netqd.service']

export const packages = /** @type {const} */ (['netq-agent', 'netq-ts'])

/**
 * Fills the folder `place` with the files of a package, but for its control folder.
 * @param {(typeof packages)[number]} name
 * @param {string} place
 * @param {Build} build
 */
export async function fill(name, place, build) {
  const { root, cpu, cache } = build
  const all = readdirSync(join(root, 'src/cmd')).map((file) =>
    file === 'netq.ts' ? 'netq.cjs' : file.replace(/\.ts$/, '.js'),
  )
  const programs = all.filter((file) => agentPrograms.includes(file) === (name === 'netq-agent')).sort()
  const modules = (/** @type {string[]} */ files) =>
    modulesOf(
      root,
      files.map((file) => join(root, 'dist', file)),
      cpu,
    )
  // Both packages have their modules in one folder, which Node looks through once: each has what the other has not.
  const shared = modules(agentPrograms)
  const own = name === 'netq-agent' ? shared : modules(programs).filter((folder) => !shared.includes(folder))
  for (const folder of own) copyModule(root, folder, join(place, LIB), cache)
  for (const file of programs) put(place, `${LIB}/${file}`, readFileSync(join(root, 'dist', file)))
  common(name, place, build)
  if (name === 'netq-agent') agent(place, build)
  else await server(place, build)
}

/**
 * @param {string} name
 * @param {string} place
 * @param {Build} build
 */
function common(name, place, { root, version, time }) {
  const from = (/** @type {string} */ file) => readFileSync(join(root, 'packaging', name, file), 'utf8')
  put(place, `etc/rsyslog.d/${name}.conf`, from('rsyslog.conf'))
  put(place, `etc/logrotate.d/${name}`, from('logrotate.conf'))
  put(place, `usr/lib/tmpfiles.d/${name}.conf`, from('tmpfiles.conf'))
  put(place, `usr/share/lintian/overrides/${name}`, from('lintian-overrides'))
  put(place, `usr/share/doc/${name}/copyright`, readFileSync(join(root, 'packaging/copyright')))
  const entry = [
    `${name} (${version}) unstable; urgency=medium\n`,
    '  * What changed is in CHANGELOG.md of this folder.\n',
    ` -- The netq maintainers <maintainers@netq.example.org>  ${time.toUTCString().replace('GMT', '+0000')}\n`,
  ]
  put(place, `usr/share/doc/${name}/changelog.gz`, zipped(entry.join('\n')))
  put(place, `usr/share/doc/${name}/CHANGELOG.md.gz`, zipped(readFileSync(join(root, 'CHANGELOG.md'))))
  for (const unit of readdirSync(join(root, 'packaging/units'))) {
    if (unit === 'hardened.conf' || agentUnits.includes(unit) !== (name === 'netq-agent')) continue
    put(place, `lib/systemd/system/${unit}`, unitText(root, unit))
  }
}

/**
 * A unit as it is installed: with the lines of hardened.conf where it asks for them.
 * @param {string} root
 * @param {string} unit
 */
function unitText(root, unit) {
  const read = (/** @type {string} */ file) => readFileSync(join(root, 'packaging/units', file), 'utf8')
  return read(unit).replace('@hardened@\n', () => read('hardened.conf'))
}

/**
 * @param {string} place
 * @param {Build} build
 */
function agent(place, { root, version, cpu, cache, time }) {
  const node = packageFolder(root, `node_modules/node-linux-${cpu}`, cache)
  const from = (/** @type {string} */ file) => readFileSync(join(root, 'packaging/netq-agent', file), 'utf8')
  put(place, `${LIB}/node`, readFileSync(join(node, 'bin/node')), 0o755)
  put(place, `${LIB}/package.json`, `${JSON.stringify({ name: 'netq', version, type: 'module' })}\n`)
  put(place, 'usr/bin/netq', from('netq'), 0o755)
  put(place, 'usr/share/doc/netq-agent/node-license.gz', zipped(readFileSync(join(node, 'LICENSE'))))
  put(place, 'etc/netq/netq.yml', from('netq.yml'))
  put(place, 'etc/sudoers.d/netq-agent', from('sudoers'))
  mkdirSync(join(place, 'etc/netq/config.d'), { recursive: true })
  const completion = spawnSync(node24(root), [join(root, 'dist/netq.cjs'), 'completion', 'bash'])
  put(place, 'usr/share/bash-completion/completions/netq', completion.stdout)
  const page = from('netq.1')
    .replace('@date@', time.toISOString().slice(0, 10))
    .replaceAll('@version@', version)
  put(place, 'usr/share/man/man1/netq.1.gz', zipped(page))
}

/**
 * @param {string} place
 * @param {Build} build
 */
async function server(place, { root, version }) {
  const { influxConfig } = await import(join(root, 'src/stats/influx-conf.ts'))
  const { pathsUnder } = await import(join(root, 'src/platform/paths.ts'))
  put(place, 'etc/netq/influxdb.conf', influxConfig(pathsUnder('/'), undefined))
  const release = readFileSync(join(root, 'packaging/netq-ts/app-release'), 'utf8')
  put(place, 'etc/app-release', release.replace('@version@', version))
  for (const name of ['cts-backup', 'cts-support']) {
    put(place, `usr/sbin/${name}`, `#!/bin/sh\nexec /${LIB}/node /${LIB}/${name}.js "$@"\n`, 0o755)
  }
  const stepDown = readFileSync(join(root, 'packaging/netq-ts/step-down'))
  put(place, `${LIB}/step-down`, stepDown, 0o755)
  put(place, 'etc/pam.d/netq', readFileSync(join(root, 'packaging/netq-ts/pam')))
  put(place, 'usr/sbin/cts-backup', readFileSync(join(root, 'packaging/netq-ts/cts-backup')), 0o755)
}

/**
 * @param {string} place
 * @param {string} path
 * @param {string | Uint8Array} content
 */
function put(place, path, content, mode = 0o644) {
  mkdirSync(dirname(join(place, path)), { recursive: true })
  writeFileSync(join(place, path), content)
  chmodSync(join(place, path), mode)
}

/**
 * The same bytes for the same text: gzip's header has no time and no name.
 * @param {string | Uint8Array} content
 */
function zipped(content) {
  return gzipSync(content, { level: 9 })
}
