import { crc32 } from 'node:zlib'

/**
 * One record of a segment file: `length u32 | crc32 u32 | kind u8 | a f64 | b f64 | c f64 | text utf8`,
 * little endian; length and crc are those of everything after them. Numbers are doubles: exact up to 2^53,
 * which is enough for ever.
 */
export type SpoolRecord =
  | { readonly kind: 'batch'; readonly seq: number; readonly time: number; readonly text: string }
  | {
      readonly kind: 'lost'
      readonly from: number
      readonly to: number
      readonly time: number
      readonly text: string
    }

const PREFIX_BYTES = 8
const FIXED_BYTES = 25
const BATCH = 1
const LOST = 2

export function encodeRecord(record: SpoolRecord): Buffer {
  const textBytes = Buffer.byteLength(record.text)
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + FIXED_BYTES + textBytes)
  const isBatch = record.kind === 'batch'
  frame.writeUInt32LE(FIXED_BYTES + textBytes, 0)
  frame.writeUInt8(isBatch ? BATCH : LOST, 8)
  frame.writeDoubleLE(isBatch ? record.seq : record.from, 9)
  frame.writeDoubleLE(isBatch ? record.seq : record.to, 17)
  frame.writeDoubleLE(record.time, 25)
  frame.write(record.text, PREFIX_BYTES + FIXED_BYTES)
  frame.writeUInt32LE(crc32(frame.subarray(PREFIX_BYTES)), 4)
  return frame
}

/**
 * The record that begins at `offset` and where the next one begins; undefined if it is torn, corrupt or not
 * there. A tail of zeros, which a power loss can leave, is no record: its length is too small.
 */
export function decodeRecord(
  bytes: Buffer,
  offset: number,
): { record: SpoolRecord; end: number } | undefined {
  if (offset + PREFIX_BYTES + FIXED_BYTES > bytes.length) return undefined
  const length = bytes.readUInt32LE(offset)
  const end = offset + PREFIX_BYTES + length
  if (length < FIXED_BYTES || end > bytes.length) return undefined
  const body = bytes.subarray(offset + PREFIX_BYTES, end)
  if (crc32(body) !== bytes.readUInt32LE(offset + 4)) return undefined
  const from = body.readDoubleLE(1)
  const to = body.readDoubleLE(9)
  const time = body.readDoubleLE(17)
  const text = body.toString('utf8', FIXED_BYTES)
  const kind = body.readUInt8(0)
  if (kind === BATCH) return { record: { kind: 'batch', seq: from, time, text }, end }
  if (kind === LOST) return { record: { kind: 'lost', from, to, time, text }, end }
  return undefined
}

/** What the first bytes of a segment file say; see the state machine in spool.ts. */
export interface Header {
  /** Segments of one chapter were written between two settlements of the numbering. Counts up. */
  readonly chapter: number
  /** The last number before the chapter. */
  readonly base: number
  /** The number of the segment's first batch, as written. */
  readonly first: number
  /** To be added to every number that is written in the segment. */
  readonly shift: number
  readonly settled: boolean
}

export const HEADER_BYTES = 52
const MAGIC = Buffer.from('NETQSPL1')

export function encodeHeader(header: Header): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(bytes)
  const numbers = [header.chapter, header.base, header.first, header.shift, header.settled ? 1 : 0]
  for (const [i, value] of numbers.entries()) bytes.writeDoubleLE(value, 8 + 8 * i)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  return bytes
}

/** The header of a segment file, or undefined if these bytes do not begin with one. */
export function decodeHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined
  if (crc32(bytes.subarray(0, HEADER_BYTES - 4)) !== bytes.readUInt32LE(HEADER_BYTES - 4)) return undefined
  const at = (i: number) => bytes.readDoubleLE(8 + 8 * i)
  return { chapter: at(0), base: at(1), first: at(2), shift: at(3), settled: at(4) === 1 }
}
