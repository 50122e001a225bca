import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { build, stop } from 'esbuild'

const checkout = resolve(import.meta.dirname, '../..')

export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** A checkout in a temporary folder with the real bin/netq, bundled from the sources as they are now. */
export class Program {
  readonly folder: string
  /** Root folder of the server or node that the command works on. */
  readonly root: string

  private constructor(folder: string) {
    this.folder = folder
    this.root = join(folder, 'root')
  }

  static async make(): Promise<Program> {
    const program = new Program(mkdtempSync(join(tmpdir(), 'cli-')))
    mkdirSync(program.root)
    mkdirSync(join(program.folder, 'bin'))
    copyFileSync(join(checkout, 'bin/netq'), join(program.folder, 'bin/netq'))
    symlinkSync(join(checkout, 'node_modules'), join(program.folder, 'node_modules'))
    await build({
      absWorkingDir: checkout,
      entryPoints: ['src/cmd/netq.ts'],
      outfile: join(program.folder, 'dist/netq.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      packages: 'external',
      define: { 'import.meta.dirname': '__dirname' },
      logLevel: 'silent',
    })
    await stop()
    return program
  }

  /** Runs `netq` to its end. `env` is added to an environment that names this root and no demo. */
  run(words: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(join(this.folder, 'bin/netq'), words, {
        env: { ...process.env, NETQ_ROOT: this.root, NETQ_DEMO: '', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let out = ''
      let err = ''
      child.stdout.setEncoding('utf8').on('data', (text) => {
        out += text
      })
      child.stderr.setEncoding('utf8').on('data', (text) => {
        err += text
      })
      child.on('error', reject)
      child.on('close', (status) => resolve({ status, out, err }))
    })
  }

  /** Writes a file below the folder and returns its path. */
  write(path: string, text: string): string {
    const full = join(this.folder, path)
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, text)
    return full
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
