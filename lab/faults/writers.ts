import { longestGap as longestGapOf } from '../gap.ts'
import type { Acknowledgement } from './truth.ts'

/**
 * The shortest time in which the role of master can go to another server and come back, in milliseconds: a hand-over takes
 * about 100 each way, and nobody can type two commands as fast.
 */
const SHORTEST_REIGN_MS = 400

/**
 * Whether two servers took writes at the same time, a sentence each time.
 *
 * What is known of an acknowledgement is a span: the server gave it after the batch was made and before the agent had it.
 * A server A, then B, then A again, each span wholly before the next one, within less time than the role needs to go and
 * come back, is only possible if both thought they were the master. While two do, and the agents are divided between them,
 * acknowledgements alternate every few milliseconds: such a time does not go unseen. One that is shorter than the distance of
 * two acknowledgements cannot be seen in this way; what it loses or doubles, the log shows.
 */
export function twoWriters(acknowledgements: readonly Acknowledgement[]): string[] {
  const inOrder = [...acknowledgements].sort((a, b) => a.to - b.to)
  const found: string[] = []
  for (let i = 0; i < inOrder.length; i++) {
    const first = inOrder[i]!
    let between: Acknowledgement | undefined
    for (let j = i + 1; j < inOrder.length && inOrder[j]!.to - first.to < SHORTEST_REIGN_MS; j++) {
      const next = inOrder[j]!
      if (!between && next.ip !== first.ip && next.from > first.to) between = next
      if (between && next.ip === first.ip && next.from > between.to) {
        found.push(
          `${first.ip} and ${between.ip} both acknowledged within ${Math.round(next.to - first.to)} ms, at ${Math.round(first.to)}`,
        )
        i = j
        break
      }
    }
  }
  return found
}

/** The longest time, in ms, without any acknowledgement between two moments (monotonic milliseconds). */
export function longestGap(acknowledgements: readonly Acknowledgement[], from: number, to: number): number {
  const times = acknowledgements.map((one) => one.to)
  return Math.round(longestGapOf(times, from, to))
}
