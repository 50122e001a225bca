import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')

/** What the files of a folder may import besides their own folder. Those that are not here may import anything. */
const below: Record<string, readonly string[]> = {
  'src/agent': ['store', 'tables', 'config', 'api', 'platform', 'text'],
  'src/backup': ['store', 'config', 'platform', 'text'],
  'src/cluster': ['backup', 'store', 'tables', 'config', 'api', 'platform', 'text'],
  'src/health': ['store', 'api', 'platform', 'text'],
  'src/notifier': ['store', 'tables', 'config', 'api', 'platform', 'text'],
  'src/support': ['store', 'config', 'platform'],
  'src/stats': ['store', 'config', 'api', 'platform', 'text'],
  'src/relay': ['api', 'platform'],
  'src/query': ['stats', 'store', 'tables', 'config', 'api', 'platform', 'text'],
  'src/cli': ['tables', 'config', 'api', 'platform', 'text'],
  'src/store': ['tables', 'config', 'api', 'platform', 'text'],
  'src/config': ['platform', 'text'],
  'src/api': ['platform', 'text'],
  'src/tables': ['text'],
  'src/platform': ['text'],
  'src/text': [],
}
const wiring = ['src/cmd', 'lab']

interface Import {
  readonly from: string
  readonly to: string
  /** `file:line: text`, as an editor opens it. */
  readonly where: string
  readonly typeOnly: boolean
}

/** The imports between the project's own files in this text: static, dynamic, and re-exports. */
function importsOf(from: string, text: string): Import[] {
  const pattern =
    /(?:^(import|export)(\s+type)?\b[\w$\s{},*]*?\bfrom\s*|^import\s*|\bimport\(\s*)['"](\.[^'"]+)['"]/gm
  return [...text.matchAll(pattern)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length
    const to = relative(root, resolve(root, dirname(from), match[3] ?? ''))
    return { from, to, where: `${from}:${line}: ${match[0].replace(/\s+/g, ' ')}`, typeOnly: !!match[2] }
  })
}

/** The part that a file belongs to: `src/<folder>`, `lab` or another folder at the top. */
const partOf = (file: string) => file.split('/', file.startsWith('src/') ? 2 : 1).join('/')

const isCommon = (part: string) => /^src\/[^/]+\.ts$/.test(part)

function isUpward({ from, to, typeOnly }: Import): boolean {
  const [part, target] = [partOf(from), partOf(to)]
  if (part === target || wiring.includes(part)) return false
  // What a table is, is everyone's vocabulary, and so are the files directly in src.
  if ((typeOnly && target === 'src/tables') || isCommon(target)) return false
  return !below[part]?.some((name) => target === `src/${name}`)
}

/** The first ring of imports, as the lines that make it, or nothing. */
function ringIn(imports: readonly Import[]): string[] {
  const byFile = Map.groupBy(imports, ({ from }) => from)
  const done = new Set<string>()
  const walk = (file: string, path: readonly Import[]): string[] => {
    const start = path.findIndex(({ from }) => from === file)
    if (start >= 0) return path.slice(start).map(({ where }) => where)
    if (done.has(file)) return []
    for (const next of byFile.get(file) ?? []) {
      const ring = walk(next.to, [...path, next])
      if (ring.length > 0) return ring
    }
    done.add(file)
    return []
  }
  for (const file of byFile.keys()) {
    const ring = walk(file, [])
    if (ring.length > 0) return ring
  }
  return []
}

const files = ['src', 'lab'].flatMap((top) =>
  readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${top}/${name}`),
)
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))

describe('imports', () => {
  it('go downward only', () => {
    expect(imports.filter(isUpward).map(({ where }) => where)).toEqual([])
  })

  it('make no ring', () => {
    expect(ringIn(imports)).toEqual([])
  })

  it('are in folders that have a rule', () => {
    const known = [...wiring, ...Object.keys(below)]
    expect(files.filter((file) => !known.includes(partOf(file)) && !isCommon(file))).toEqual([])
  })
})

describe('the rules themselves', () => {
  const upward = (from: string, line: string) => importsOf(from, line).some(isUpward)

  it('find an upward import in each of its forms', () => {
    expect(upward('src/cli/a.ts', `import { x } from '../store/x.ts'`)).toBe(true)
    expect(upward('src/cli/a.ts', `import type { x } from '../store/x.ts'`)).toBe(true)
    expect(upward('src/cli/a.ts', `import {\n  x,\n} from '../store/x.ts'`)).toBe(true)
    expect(upward('src/agent/a.ts', `export { x } from '../cli/x.ts'`)).toBe(true)
    expect(upward('src/tables/a.ts', `import '../platform/x.ts'`)).toBe(true)
    expect(upward('src/text/a.ts', `const x = await import('../platform/x.ts')`)).toBe(true)
    expect(upward('src/x.ts', `import { x } from './text/x.ts'`)).toBe(true)
    expect(upward('src/store/a.ts', `import { x } from '../../lab/x.ts'`)).toBe(true)
  })

  it('allow what goes downward', () => {
    expect(upward('src/cmd/netq.ts', `import { x } from '../cli/x.ts'`)).toBe(false)
    expect(upward('src/agent/a.ts', `import { x } from '../store/x.ts'`)).toBe(false)
    expect(upward('src/platform/a.ts', `import type { Row } from '../tables/table.ts'`)).toBe(false)
    expect(upward('src/text/a.ts', `import { x } from '../x.ts'`)).toBe(false)
    expect(upward('src/text/a.ts', `// never import from '../store/x.ts'`)).toBe(false)
  })

  it('find a ring, and name its lines', () => {
    const ring = [
      ...importsOf('src/text/a.ts', `import { b } from './b.ts'`),
      ...importsOf('src/text/b.ts', `\nimport { a } from './a.ts'`),
    ]
    expect(ringIn(ring)).toEqual([
      `src/text/a.ts:1: import { b } from './b.ts'`,
      `src/text/b.ts:2: import { a } from './a.ts'`,
    ])
  })
})
