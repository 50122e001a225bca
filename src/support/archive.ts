import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { configFiles } from '../config/netq-yml.ts'
import { parseFile } from '../config/yml-file.ts'
import { readIfThere } from '../platform/files.ts'
import { collect, type Piece, type Source } from './collect.ts'
import { Redactor } from './secrets.ts'

/**
 * Collects everything and packs it, without secrets, into one archive. Rejects with what the file system says; nothing is
 * left then.
 * @param name what the server is called, for the name of the archive
 * @returns where it is
 */
export async function makeArchive(source: Source, name: string): Promise<string> {
  const { paths } = source
  const redactor = new Redactor(source.secrets)
  for (const path of configFiles(paths)) {
    const text = readIfThere(path) ?? ''
    const parsed = await parseFile(path, text).catch(() => undefined)
    if (parsed) redactor.learnFrom(parsed.value)
    else redactor.learnFromText(text)
  }
  const time = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_')
  const title = `cts-support_${name}_${time}`
  mkdirSync(paths.support, { recursive: true, mode: 0o750 })
  const folder = mkdtempSync(join(paths.support, '.making-'))
  try {
    for (const { path, text } of await collect(source))
      put(folder, title, { path, text: redactor.clean(text) })
    const archive = join(paths.support, `${title}.tar.gz`)
    const fresh = join(folder, 'archive')
    execFileSync('tar', ['-czf', fresh, '-C', folder, title], { stdio: 'pipe' })
    chmodSync(fresh, 0o640)
    renameSync(fresh, archive)
    return archive
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function put(folder: string, title: string, { path, text }: Piece): void {
  const place = join(folder, title, path)
  mkdirSync(dirname(place), { recursive: true, mode: 0o750 })
  writeFileSync(place, text, { mode: 0o640 })
}
