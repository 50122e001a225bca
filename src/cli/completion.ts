import type { Command } from './command.ts'
import { following } from './find.ts'
import { namesOf, type Places } from './places.ts'

/** The word by which the script below asks the program itself, which knows the grammar. */
export const completionWord = '__complete'

/** What `netq completion bash` prints. */
export const bashScript = `# Completion of netq for bash. To use it: source <(netq completion bash)
_netq() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" ${completionWord} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -F _netq netq
`

/**
 * What the last of the words may become; it may be empty. The words are those after \`netq\`, as bash splits them:
 * \`--on=ts02\` comes as three.
 */
export function complete(commands: readonly Command[], words: readonly string[], places: Places): string[] {
  const typed = words.at(-1) ?? ''
  const before: string[] = []
  let naming = false
  for (const word of words.slice(0, -1)) {
    if (word === '--on') naming = true
    else if (naming && word === '=') continue
    else if (naming) naming = false
    else if (!word.startsWith('--on=')) before.push(word)
  }
  const starting = (candidates: readonly string[], start: string) =>
    candidates.filter((candidate) => candidate.startsWith(start))
  if (naming) return starting(namesOf(places), typed === '=' ? '' : typed)
  if (typed.startsWith('-')) return places.named ? starting(['--on'], typed) : []
  return starting(following(commands, before), typed)
}
