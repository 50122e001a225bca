/** What the operator must know or do, in one sentence or a few: shown as it is, without a stack, and ends with status 1. */
export class Sentence extends Error {}
