/** What an agent of the harness is to be. */
export interface Settings {
  readonly host: string
  /** The folder of its files, e.g. its spool. */
  readonly root: string
  readonly servers: readonly string[]
  readonly journal: string
  readonly changesPerSecond: number
  /** Which process of this agent it is, from 1 on. */
  readonly life: number
  /** `plain`: a writer without the agents' protection, which is there to be caught. */
  readonly kind: 'agent' | 'plain'
  /** How many replicas have to confirm before a plain writer believes. */
  readonly replicas?: number
  /** Whether a plain writer sends what was not answered once more, under a new number. */
  readonly resends?: boolean
}
