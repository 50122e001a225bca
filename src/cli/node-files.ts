import { ConfigMistakes } from '../config/yml-file.ts'
import { sentenceOf } from '../platform/log.ts'
import { type Paths, pathsUnder } from '../platform/paths.ts'
import { NeedsRoot } from './as-root.ts'
import type { Context } from './command.ts'
import { placeNamed } from './places.ts'

/** The files of the node that a command is for. */
export const pathsOf = ({ places, on }: Context) =>
  pathsUnder((on === undefined ? places.node : placeNamed(places, on)).root)

/**
 * Throws a sentence if this user may not change this node. Where the node is the machine (its root folder is `/`) only root
 * may; elsewhere the file system decides.
 * @param command what was typed, without `netq`
 */
export function mustBeRoot(paths: Paths, command: string): void {
  if (paths.root !== '/' || process.getuid?.() === 0) return
  throw new NeedsRoot(`that needs root, and nothing was changed. Type: sudo netq ${command}`)
}

/** Why netq.yml was not written, in a sentence. */
export function refusalOf(error: unknown, paths: Paths): string {
  if (error instanceof ConfigMistakes) return `${error.message}\nNothing was changed. Correct the file first.`
  const { code } = error as NodeJS.ErrnoException
  const advice = code === 'EACCES' || code === 'EPERM' ? ' Try it with sudo.' : ''
  return `netq: ${paths.netqConfig} cannot be written (${sentenceOf(error)}). Nothing was changed.${advice}`
}

/** What is wrong with a configuration; one line a mistake. */
export const sentencesOf = (error: unknown) =>
  error instanceof ConfigMistakes ? error.message : sentenceOf(error)
