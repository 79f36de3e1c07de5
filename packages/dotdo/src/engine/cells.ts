// Cells in a buffer, both ways: see cells.rs and answer.rs of relstore-node, which are the other side.

import { RelationalStoreError } from './error.js'
import { PARAMETERS_MAX, tooMany, unbindable } from './parameter.js'

/** A value as SQLite has it. Integers that a number does not hold exactly are given as bigint. */
export type Cell = null | number | bigint | string | Buffer

/** The state in a header. */
export const GIVEN = 0
export const LATE = 1
export const WRITES = 2
export const TOO_SMALL = 3

const NULL = 0
const NUMBER = 1
const TEXT = 2
const INTEGER = 3
const BLOB = 4

const HEADER_SLOTS = 10
const SIZE_AT_FIRST = 1 << 20
const SHORT = 32

/** What is put together of the rows of a chunk: called once for each chunk, and appends. */
export type Decoder = (io: Cells, rows: number, columns: number, text: string, out: unknown[]) => void

/** The buffer that cells cross in. */
export class Cells {
  io!: Buffer
  bytes!: Uint8Array
  floats!: Float64Array
  integers!: BigInt64Array
  /** Something is being read out of it: a decoder of the user's own may ask the next question. */
  isBusy = false

  constructor(size = SIZE_AT_FIRST) {
    this.#grow(size)
  }

  #grow(size: number): void {
    const memory = new ArrayBuffer(Math.ceil(size / 8) * 8)
    this.io = Buffer.from(memory)
    this.bytes = new Uint8Array(memory)
    this.floats = new Float64Array(memory)
    this.integers = new BigInt64Array(memory)
  }

  /** Packs parameters, whose number is given back. `sql` is the statement that they are of, for what is wrong with them. */
  pack(params: readonly unknown[], sql = ''): number {
    const count = params.length
    if (count > PARAMETERS_MAX) throw tooMany(sql, count)
    const tags = count * 8
    let end = count * 9
    if (end > this.io.length) this.#grow(end * 2)
    for (let i = 0; i < count; i++) {
      const value = params[i]
      switch (typeof value) {
        case 'number':
          this.floats[i] = value
          this.bytes[tags + i] = NUMBER
          break
        case 'string': {
          // Three bytes a unit at the most.
          this.#reserve(end, value.length * 3)
          const length = this.#writeShort(value, end) || this.io.write(value, end, 'utf8')
          this.floats[i] = length
          this.bytes[tags + i] = TEXT
          end += length
          break
        }
        case 'boolean':
          this.floats[i] = value ? 1 : 0
          this.bytes[tags + i] = NUMBER
          break
        case 'bigint':
          if (BigInt.asIntN(64, value) !== value) throw unbindable(sql, i, `${value}n is no 64-bit integer`)
          this.integers[i] = value
          this.bytes[tags + i] = INTEGER
          break
        case 'undefined':
          this.bytes[tags + i] = NULL
          break
        case 'object':
          if (value === null) {
            this.bytes[tags + i] = NULL
          } else if (value instanceof Date) {
            if (Number.isNaN(value.getTime())) throw unbindable(sql, i, 'an invalid Date')
            this.floats[i] = value.getTime()
            this.bytes[tags + i] = NUMBER
          } else {
            const blob = bytesOf(value)
            if (blob === undefined) throw unbindable(sql, i, `an object (${value.constructor?.name ?? 'without a class'})`)
            this.#reserve(end, blob.length)
            this.bytes.set(blob, end)
            this.floats[i] = blob.length
            this.bytes[tags + i] = BLOB
            end += blob.length
          }
          break
        default:
          throw unbindable(sql, i, `a ${typeof value}`)
      }
    }
    return count
  }

  /** Writes a short ASCII string, for which a call of Node's costs more than it does; 0 if it is none. */
  #writeShort(value: string, at: number): number {
    const { length } = value
    if (length > SHORT) return 0
    const { bytes } = this
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > 127) return 0
      bytes[at + i] = unit
    }
    return length
  }

  #reserve(end: number, length: number): void {
    if (end + length <= this.io.length) return
    const old = this.bytes
    this.#grow((end + length) * 2)
    this.bytes.set(old.subarray(0, end))
  }

  get state(): number {
    return this.floats[0]!
  }

  /** How many chunks follow the one that is here. */
  get chunksLeft(): number {
    return this.floats[3]!
  }

  /** Whether the query left its snapshot open for the next. */
  get isSnapshotOpen(): boolean {
    return this.floats[8] === 1
  }

  /** How long the statement ran. */
  get elapsedMs(): number {
    return this.floats[9]!
  }

  /** Whether there are no rows, here or to come. */
  get isEmpty(): boolean {
    const { floats } = this
    return floats[0] === GIVEN && floats[1] === 0 && floats[3] === 0
  }

  /** How many rows the statement inserted, updated or deleted. */
  get changes(): number {
    return this.floats[4]!
  }

  /** The rowid of the last row that it inserted. */
  get lastInsertRowid(): number | bigint {
    const rowid = this.floats[5]!
    return Number.isSafeInteger(rowid) ? rowid : this.integers[6]!
  }

  /** Makes room for the chunk that did not fit. */
  growToFit(): void {
    this.#grow(this.floats[7]!)
  }

  /** Puts the rows of the chunk that is here together. */
  decode(text: string | null, decoder: Decoder, out: unknown[]): void {
    const rows = this.floats[1]!
    if (rows === 0) return
    this.isBusy = true
    try {
      decoder(this, rows, this.floats[2]!, text ?? '', out)
    } finally {
      this.isBusy = false
    }
  }

  /** @internal A blob of a chunk, as bytes of its own. */
  blob(start: number, end: number): Buffer {
    return Buffer.from(this.bytes.subarray(start, end))
  }
}

function bytesOf(value: object): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  return undefined
}

/**
 * A decoder of rows whose `columns` cells are the JavaScript variables v0, v1 … of `expression`. `constants` are known to it as k.
 *
 * Generated: a loop that knows its columns is three times as fast as one that does not.
 */
export function generated(columns: number, expression: string, constants: readonly unknown[] = []): Decoder {
  const cells = Array.from({ length: columns }, (_, i) => {
    const at = i === 0 ? '' : `+${i}`
    return `t=b[g${at}];const v${i}=t===${NUMBER}?f[s${at}]:t===${TEXT}?x.substring(p,p=f[s${at}]):t===${NULL}?null:t===${INTEGER}?n[s${at}]:c.blob(z+q,z+(q=f[s${at}]));`
  })
  const body = `return function(c,r,w,x,o){
    if(w!==${columns})throw k.mismatch(w,${columns});
    const f=c.floats,b=c.bytes,n=c.integers,z=${HEADER_SLOTS * 8}+r*w*9;
    let s=${HEADER_SLOTS},g=${HEADER_SLOTS * 8}+r*w*8,p=0,q=0,t=0;
    for(let i=0;i<r;i++){${cells.join('')}o.push(${expression});s+=${columns};g+=${columns}}
  }`
  return new Function('k', body)({ mismatch, list: constants }) as Decoder
}

function mismatch(found: number, expected: number): RelationalStoreError {
  return new RelationalStoreError('Conflict', `the statement gives ${found} columns where ${expected} were expected`, {
    hint: 'the shape of a table changed under the statement: build it again',
  })
}

const arrayDecoders: Decoder[] = []

/** Rows as arrays, of however many columns. */
export const arrays: Decoder = (io, rows, columns, text, out) => {
  const decoder = (arrayDecoders[columns] ??= generated(columns, `[${variables(columns).join(',')}]`))
  decoder(io, rows, columns, text, out)
}

/** Rows as objects; of columns with one name the last counts. */
export function objects(names: readonly string[]): Decoder {
  const key = JSON.stringify(names)
  let decoder = objectDecoders.get(key)
  if (decoder === undefined) {
    const members = names.map((name, i) => `[${JSON.stringify(name)}]:v${i}`)
    decoder = generated(names.length, `{${members.join(',')}}`)
    if (objectDecoders.size >= OBJECT_DECODERS_MAX) objectDecoders.clear()
    objectDecoders.set(key, decoder)
  }
  return decoder
}

const objectDecoders = new Map<string, Decoder>()
const OBJECT_DECODERS_MAX = 500

function variables(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `v${i}`)
}
