// All stores of a folder at once.

import { setImmediate as immediate } from 'node:timers/promises'

import { Fleet as NativeFleetClass } from './addon.js'
import type { Job, NativeFleet, NativeFleetAnswer } from './addon.js'
import { Cells, TOO_SMALL, generated } from './cells.js'
import type { Decoder } from './cells.js'
import { Database, whereInside } from './database.js'
import type { OpenOptions } from './database.js'
import { RelationalStoreError, crossing } from './error.js'
import { archived, statusOf } from './reports.js'
import type { FleetArchiveReport, RawArchiveReport, RawStatus, StoreStatus } from './reports.js'
import { Workers } from './workers.js'

/** How a fleet's stores are opened, unless `fleet.open` says otherwise. */
export type FleetOptions = Omit<OpenOptions, 'ns'>

/** How long rows are put together before the event loop has its turn. */
const TURN_MS = 4

/** The fleets that are open in this thread. */
const opened = new Set<Fleet>()

process.on('exit', () => {
  for (const fleet of opened) fleet.native.exit()
})

/** An installation: the stores of a folder, their history, and one SQL over all of them. */
export class Fleet {
  /** The folder that it was opened in, as it was given. */
  readonly dir: string
  /** @internal */
  readonly native: NativeFleet
  readonly #options: FleetOptions
  readonly #workers = new Workers()
  readonly #path: string
  #cells = new Cells()
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(dir: string, options: FleetOptions) {
    const { durability, cacheKib, archive } = options
    this.dir = dir
    this.#options = options
    this.native = crossing(() => NativeFleetClass.open(dir, JSON.stringify({ durability, cacheKib, archive }), this.#workers.tell))
    this.#workers.native = this.native
    this.#path = this.native.path()
    opened.add(this)
  }

  /** Opens one of its stores, which is made if it is not there: as `open(dir, { ns })`. Whoever opens it closes it. */
  open(ns: string, options: FleetOptions = {}): Database {
    this.#checkOpen()
    return new Database(this.#path, { ...this.#options, ...options, ns })
  }

  /** The stores that there are, by name. */
  namespaces(): Promise<string[]> {
    return this.#json(() => this.native.namespaces())
  }

  /** Every store as it is now, by name. */
  async stores(): Promise<StoreStatus[]> {
    return (await this.#json<RawStatus[]>(() => this.native.stores())).map(statusOf)
  }

  /**
   * Brings the history of every store up to its last commit. Stores that another process has open are passed over and named in `busy`; those that were
   * never archived and whose log does not reach back to their beginning any more, in `trimmed`.
   */
  async archive(): Promise<FleetArchiveReport> {
    const inside = whereInside()
    if (inside?.isOpen === true && inside.database.native.path().startsWith(this.#path)) {
      throw new RelationalStoreError('Invalid', "an archive inside the callback of a store's transaction would wait for it", {
        hint: 'archive when the transaction has ended',
      })
    }
    const report = await this.#json<RawArchiveReport>(() => this.native.archive())
    return { ...archived(report), lsns: report.watermarks, busy: report.busy, trimmed: report.trimmed }
  }

  /**
   * Asks all stores at once, in SQL as DataFusion has it: `users` has every store's rows with their store in `_ns`, `history.users` every version of them,
   * `daily` or `views.daily` a view. It sees what was archived.
   */
  async query<T = Record<string, unknown>>(sql: string): Promise<T[]> {
    text(sql)
    const answer = await this.#do(() => this.native.query(sql), (job) => this.native.takeTable(job))
    return (await this.#rows(answer)) as T[]
  }

  /** How `query` would go about it. */
  async explain(sql: string): Promise<string> {
    text(sql)
    return (await this.#do(() => this.native.explain(sql), (job) => this.native.takeText(job))) ?? ''
  }

  /** Waits for what was begun. Stores that were opened stay open. */
  close(): Promise<void> {
    this.#closing ??= this.#workers.idle().then(() => {
      this.#workers.end()
      this.native.end()
      opened.delete(this)
    })
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new RelationalStoreError('Closed', 'the fleet is closed', { hint: 'open it again' })
  }

  async #do<T>(start: () => Job, take: (job: Job) => T): Promise<T> {
    this.#checkOpen()
    return this.#workers.do(start, take)
  }

  async #json<T>(start: () => Job): Promise<T> {
    return JSON.parse((await this.#do(start, (job) => this.native.takeText(job)))!) as T
  }

  async #rows(answer: NativeFleetAnswer): Promise<unknown[]> {
    const rows = answer.rows()
    const decoder = decoderOf(rows.names(), answer.types())
    const out: unknown[] = []
    let began = performance.now()
    for (;;) {
      const cells = this.#cells
      const chunk = rows.next(cells.io)
      if (cells.state === TOO_SMALL) {
        cells.growToFit()
        continue
      }
      const left = cells.chunksLeft
      cells.decode(chunk, decoder, out)
      if (left === 0) return out
      if (performance.now() - began > TURN_MS) {
        await immediate()
        began = performance.now()
      }
    }
  }
}

/** Opens the installation in the folder `dir`, and makes it if the folder is empty or not there. */
export function openFleet(dir: string, options: FleetOptions = {}): Fleet {
  if (typeof dir !== 'string' || dir === '') {
    throw new RelationalStoreError('Invalid', 'openFleet takes the path of a folder', { hint: "openFleet('./data')" })
  }
  return new Fleet(dir, options)
}

function text(sql: unknown): void {
  if (typeof sql !== 'string') throw new RelationalStoreError('Invalid', 'a query over all stores is a text', { hint: "fleet.query('SELECT _ns, count(*) FROM users GROUP BY 1')" })
}

type Conversion = (value: never) => unknown

/** What cells stand for, by the names of their types. The others are as they come. */
const CONVERSIONS: Record<string, Conversion> = {
  boolean: (value: number) => value !== 0,
  // Microseconds, which a Date does not have.
  timestamp: (value: number | bigint) => new Date(Math.floor(Number(value) / 1000)),
  // An unsigned one that no cell holds comes as text.
  integer: (value: number | bigint | string) => (typeof value === 'string' ? BigInt(value) : value),
  list: (value: string) => JSON.parse(value),
  object: (value: string) => JSON.parse(value),
}

/** Rows as objects. The second column of one name becomes `name_2`. */
function decoderOf(names: readonly string[], types: readonly string[]): Decoder {
  const taken = new Set<string>()
  const members = names.map((name, i) => {
    let own = name
    for (let n = 2; taken.has(own) || (own !== name && names.includes(own)); n++) own = `${name}_${n}`
    taken.add(own)
    const cell = CONVERSIONS[types[i]!] === undefined ? `v${i}` : `(v${i}===null?null:k.list[${i}](v${i}))`
    return `[${JSON.stringify(own)}]:${cell}`
  })
  return generated(names.length, `{${members.join(',')}}`, types.map((type) => CONVERSIONS[type]))
}
