// One open store: statements in order, reads beside them, transactions, and who hears of commits.

import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as immediate } from 'node:timers/promises'

import { Cancel, Statement as NativeStatementClass, Store, read, runIn, write } from './addon.js'
import type { Job, NativeAnswer, NativeFeed, NativeMigration, NativePast, NativeStatement, NativeStore } from './addon.js'
import { branded } from './brand.js'
import { Cells, GIVEN, LATE, TOO_SMALL, WRITES, objects } from './cells.js'
import type { Decoder } from './cells.js'
import { RelationalStoreError, crossing, translated } from './error.js'
import { Subscription, leaveHandler } from './feed.js'
import type { ChangesOptions, Commit, FollowOptions } from './feed.js'
import { parseShape } from './shape.js'
import type { Shape } from './shape.js'
import { Transaction } from './transaction.js'
import type { Root } from './transaction.js'
import { Workers } from './workers.js'
import { WriterQueue } from './writer-queue.js'

/** How a store is opened. */
export interface OpenOptions {
  /** The store's namespace: a tenant, an object. `default` if it is not given. */
  ns?: string
  /** What a commit survives: `normal` a crash of the process, `full` a power cut too. */
  durability?: 'normal' | 'full'
  /** The page cache of each connection, in KiB. */
  cacheKib?: number
  /** How long a transaction's callback may take, in milliseconds: it is rolled back then. 60 seconds if it is not given; 0: for ever. */
  transactionTimeoutMs?: number
  /**
   * The store will be archived: its log is kept until it is, also before the first time. It is full at a gigabyte, and commits are refused then. Without
   * it a store that was never archived drops the oldest of a log that nobody else needs, and cannot be archived after that.
   */
  archive?: boolean
}

/** A moment of a store: its last commit, and when that was. */
export interface Moment {
  lsn: number
  timestamp: Date
}

/** A store as it was, to be opened. */
export interface Past {
  native: NativePast
  moment: Moment
}

/** What a statement did. */
export interface RunResult {
  /** How many rows it inserted, updated or deleted. */
  changes: number
  /** The rowid of the last row that was inserted; a bigint beyond what a number holds exactly. */
  lastInsertRowid: number | bigint
}

/** What a statement gave, and did. */
export interface Answered extends RunResult {
  rows: unknown[]
}

/** How rows are put together: `OBJECTS` by the names of their columns. */
export const OBJECTS = 'objects'
export type RowShape = Decoder | typeof OBJECTS

/** Where statements run: a store, a transaction, a migration. What is there at once is given at once, for the event loop's sake. */
export interface Executor {
  readonly database: Database
  execute(sql: string, params: readonly unknown[], shape: RowShape, signal?: AbortSignal): Answered | Promise<Answered>
}

/** Statements by their text; the oldest go first. */
const STATEMENTS_MAX = 1000
/** A statement that a worker is done with in this time is run on the calling thread next time. */
const QUICK_MS = 0.25
/** One that keeps the calling thread for longer goes to a worker next time. */
export const SLOW_MS = 1
/** An INSERT of so many characters is not taken for quick before it has run. */
const LONG_INSERT = 10_000
/** How long rows are put together before the event loop has its turn. */
export const TURN_MS = 4
/** A buffer that grew larger than this for one answer is not kept. */
const CELLS_KEPT_BYTES = 8 << 20
const TRANSACTION_TIMEOUT_MS = 60_000

/** A statement, and how it is best run. */
export class Statement {
  readonly native: NativeStatement
  /** By which the addon knows it, as long as `native` is there. */
  readonly number: number
  /** It writes, or may: it is not tried as a query. */
  writes: boolean
  /** It is known to be done in a moment. */
  isQuick: boolean
  /** As a query, it took too long for the calling thread. */
  isSlow = false

  constructor(
    store: NativeStore,
    readonly sql: string,
  ) {
    this.native = new NativeStatementClass(store, sql)
    this.number = this.native.number()
    this.writes = /^\s*(insert|update|delete|replace|create|drop|alter)\b/i.test(sql)
    // It has as many rows as its text has.
    this.isQuick = sql.length < LONG_INSERT && /^\s*(insert|replace)\b/i.test(sql) && !/\bselect\b/i.test(sql)
  }

  /** A worker was done with it in so long. */
  tookOnWorker(ms: number): void {
    if (ms < QUICK_MS) {
      this.isQuick = !/^\s*(create|drop|alter)\b/i.test(this.sql)
      this.isSlow = false
    }
  }

  /** It kept the calling thread for so long. */
  tookHere(ms: number): void {
    if (ms > SLOW_MS) this.isQuick = false
  }
}

/** What has the writer while a callback of the program runs. */
export interface Inside {
  readonly database: Database
  readonly isOpen: boolean
  readonly parent: Inside | undefined
  /** What to use in the callback. */
  readonly given: string
  /** Whether the store may be closed in it: it is undone then. */
  readonly mayClose: boolean
}

const inside = new AsyncLocalStorage<Inside>()

/** How many callbacks are running. */
let callbacks = 0

/** Runs a callback that has the writer. To know where a program is costs Node a part of every promise, so it is known only while one runs. */
export async function runInside<T>(what: Inside, body: () => Promise<T>): Promise<T> {
  callbacks++
  try {
    return await inside.run(what, body)
  } finally {
    callbacks--
    if (callbacks === 0) inside.disable()
  }
}

/** The transaction or migration, if any, whose callback is running. */
export function whereInside(): Inside | undefined {
  return inside.getStore()
}

/** The stores that are open in this thread. */
const opened = new Set<Database>()

// A process that ends waits for nobody.
process.on('exit', () => {
  for (const database of opened) database.native.exit()
})

/** An open store. `RelationalStore` puts Drizzle on it. */
export class Database implements Executor {
  /** The folder that it was opened in, as it was given. */
  readonly dir: string
  /** Its namespace. */
  readonly ns: string
  /** Of which moment it is, if it is one of the past, which cannot be written. */
  readonly moment: Moment | undefined
  /** @internal */
  readonly native: NativeStore
  /** @internal */
  readonly workers = new Workers()
  readonly #isFull: boolean
  readonly #transactionTimeoutMs: number
  readonly #statements = new Map<string, Statement>()
  readonly #queue: WriterQueue
  readonly #subscriptions = new Set<Subscription>()
  readonly #open = new Set<Root>()
  #cells = new Cells()
  /** A query has left its snapshot open, and it is ended when the event loop comes round. */
  #isSnapshotOpen = false
  #isOpen = true
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(dir: string, options: OpenOptions, past?: Past) {
    const { ns = 'default', durability = 'normal', cacheKib, transactionTimeoutMs = TRANSACTION_TIMEOUT_MS, archive } = options
    this.dir = dir
    this.ns = ns
    this.#isFull = durability === 'full'
    this.#transactionTimeoutMs = transactionTimeoutMs
    this.moment = past?.moment
    const settings = JSON.stringify({ durability, cacheKib, archive })
    this.native = crossing(() => (past === undefined ? Store.open(dir, ns, settings, this.workers.tell) : Store.openPast(past.native, this.workers.tell)))
    this.workers.native = this.native
    opened.add(this)
    this.#queue = new WriterQueue(this)
  }

  get database(): Database {
    return this
  }

  /** Whether it is one of the past, which cannot be written. */
  get isReadOnly(): boolean {
    return this.moment !== undefined
  }

  /** Whether it can be used. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** The position of the last change that was committed. */
  get lsn(): number {
    this.checkOpen()
    return crossing(() => this.native.lsn())
  }

  /** @internal */
  checkOpen(): void {
    if (!this.#isOpen) {
      throw new RelationalStoreError('Closed', 'the store is closed', { context: [['ns', this.ns]], hint: 'open it again' })
    }
  }

  /** @internal The buffer for the next crossing. */
  cells(): Cells {
    return this.#cells.isBusy ? new Cells() : this.#cells
  }

  /** @internal */
  statement(sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = new Statement(this.native, sql)
      if (this.#statements.size >= STATEMENTS_MAX) {
        const [oldest] = this.#statements.keys()
        this.#statements.delete(oldest!)
      }
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Runs one statement: a query on the last committed state, anything else as its own transaction, in the order of the calls. */
  execute(sql: string, params: readonly unknown[], shape: RowShape, signal?: AbortSignal): Answered | Promise<Answered> {
    this.checkOpen()
    const statement = this.statement(sql)
    if (statement.writes) return this.#write(statement, params, shape)
    if (statement.isSlow || signal !== undefined) return this.#readLater(statement, params, shape, signal)
    const cells = this.cells()
    // First: it may take a larger buffer.
    const count = cells.pack(params, sql)
    let text: string | null
    try {
      text = read(statement.number, cells.io, count, shape === OBJECTS)
    } catch (thrown) {
      throw translated(thrown, sql)
    }
    switch (cells.state) {
      case LATE:
        statement.isSlow = true
        return this.#readLater(statement, params, shape, undefined)
      case WRITES:
        statement.writes = true
        return this.#write(statement, params, shape)
      default:
        statement.isQuick = true
        if (cells.isSnapshotOpen && !this.#isSnapshotOpen) {
          this.#isSnapshotOpen = true
          setImmediate(this.#endSnapshot)
        }
        return this.gather(cells, text, shape)
    }
  }

  readonly #endSnapshot = (): void => {
    this.#isSnapshotOpen = false
    this.native.endSnapshot()
  }

  /** Runs one statement and gives its rows as objects. `signal` stops a query. */
  async query<T = Record<string, unknown>>(sql: string, params: readonly unknown[] = [], options: { signal?: AbortSignal } = {}): Promise<T[]> {
    return (await this.execute(sql, params, OBJECTS, options.signal)).rows as T[]
  }

  async #readLater(statement: Statement, params: readonly unknown[], shape: RowShape, signal: AbortSignal | undefined): Promise<Answered> {
    signal?.throwIfAborted()
    const cells = this.cells()
    const count = cells.pack(params, statement.sql)
    const cancel = signal === undefined ? undefined : new Cancel()
    const stop = () => cancel?.cancel()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const answer = await this.later(() => statement.native.readLater(cells.io, count, cancel), statement.sql)
      statement.tookOnWorker(answer.elapsedMs())
      return await this.gatherLater(answer, shape)
    } catch (thrown) {
      const error = translated(thrown, statement.sql)
      const writes = error instanceof RelationalStoreError && error.kind === 'Invalid' && error.message.startsWith('the statement writes')
      if (writes) {
        statement.writes = true
        return this.#write(statement, params, shape)
      }
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  #write(statement: Statement, params: readonly unknown[], shape: RowShape): Answered | Promise<Answered> {
    this.refuseInside('write')
    if (!statement.isQuick || this.#isFull || !this.#queue.isIdle) return this.#queue.write(statement, params, shape)
    const cells = this.cells()
    const count = cells.pack(params, statement.sql)
    let text: string | null
    try {
      text = write(statement.number, cells.io, count, shape === OBJECTS)
    } catch (thrown) {
      throw translated(thrown, statement.sql)
    }
    // Something of the engine's own is writing: it is waited for elsewhere.
    if (cells.state === LATE) return this.#queue.write(statement, params, shape)
    statement.tookHere(cells.elapsedMs)
    const answered = this.gather(cells, text, shape)
    this.committed()
    return answered
  }

  /** @internal Puts together what the statement that ran on this thread gave. */
  gather(cells: Cells, text: string | null, shape: RowShape): Answered {
    const { changes, lastInsertRowid } = cells
    const rows: unknown[] = []
    // As after most that write.
    if (cells.isEmpty) return { rows, changes, lastInsertRowid }
    let rest: NativeAnswer | undefined
    let decoder = shape as Decoder
    if (shape === OBJECTS) {
      rest = this.native.rest()
      decoder = objects(rest.names())
    }
    for (;;) {
      if (cells.state === TOO_SMALL) {
        cells.growToFit()
      } else {
        const left = cells.chunksLeft
        // Before a decoder of the user's own may ask for something else.
        if (left > 0) rest ??= this.native.rest()
        cells.decode(text, decoder, rows)
        if (left === 0) break
      }
      rest ??= this.native.rest()
      text = rest.next(cells.io)
    }
    this.#shrink(cells)
    return { rows, changes, lastInsertRowid }
  }

  /** @internal As `gather`, of a worker's answer; the event loop has its turns. */
  async gatherLater(answer: NativeAnswer, shape: RowShape): Promise<Answered> {
    const decoder = shape === OBJECTS ? objects(answer.names()) : shape
    const rows: unknown[] = []
    let began = performance.now()
    let size = 0
    for (;;) {
      const cells = this.cells()
      if (size > cells.io.length) cells.growToFit()
      const text = answer.next(cells.io)
      if (cells.state === TOO_SMALL) {
        size = cells.floats[7]!
        continue
      }
      const { changes, lastInsertRowid } = cells
      const left = cells.chunksLeft
      cells.decode(text, decoder, rows)
      this.#shrink(cells)
      if (left === 0) return { rows, changes, lastInsertRowid }
      if (performance.now() - began > TURN_MS) {
        await immediate()
        began = performance.now()
      }
    }
  }

  #shrink(cells: Cells): void {
    if (cells === this.#cells && cells.io.length > CELLS_KEPT_BYTES) this.#cells = new Cells()
  }

  /** @internal What a statement gives that a worker runs. */
  later(start: () => Job, sql?: string): Promise<NativeAnswer> {
    return this.workers.do(start, (job) => this.native.takeAnswer(job), sql)
  }

  /** @internal Something was committed. */
  committed(): void {
    for (const subscription of this.#subscriptions) subscription.wake()
  }

  /** @internal Refuses what cannot be written, or would wait for the transaction that is waiting for it. */
  refuseInside(what: string): void {
    if (this.moment !== undefined) {
      throw new RelationalStoreError('Unsupported', `a ${what} on a store of the past`, {
        context: [['ns', this.ns]],
        hint: 'it can only be read: write to the store that it was made of, or restore into a folder and open that',
      })
    }
    const current = whereInside()
    if (current !== undefined && current.database === this && current.isOpen) {
      throw new RelationalStoreError('Invalid', `a ${what} on the store inside its own ${current.mayClose ? 'transaction' : 'migration'}'s callback would wait for itself`, {
        hint: `use the ${current.given} that the callback is given`,
      })
    }
  }

  /**
   * Runs `body` in a write transaction, which is committed when what it gives is fulfilled, and rolled back otherwise. Nothing else writes
   * meanwhile; reads elsewhere see the state before it.
   */
  async transaction<T>(body: (transaction: Transaction) => Promise<T> | T): Promise<T> {
    this.checkOpen()
    this.refuseInside('transaction')
    const release = await this.#queue.acquire()
    let root: Root | undefined
    try {
      this.checkOpen()
      const native = crossing(() => this.native.tryBegin()) ?? (await this.workers.do(() => this.native.begin(), (job) => this.native.takeTransaction(job)))
      root = { database: this, native, number: native.number(), tail: undefined, statements: 0, isOpen: true }
      this.#open.add(root)
      return await Transaction.run(root, body, this.#transactionTimeoutMs, this.#isFull)
    } finally {
      if (root !== undefined) this.#open.delete(root)
      release()
    }
  }

  /** @internal Runs `body` when nobody else writes, in its turn. */
  async exclusively<T>(body: () => Promise<T>): Promise<T> {
    this.checkOpen()
    this.refuseInside('change')
    const release = await this.#queue.acquire()
    try {
      this.checkOpen()
      return await body()
    } finally {
      release()
      if (this.#isOpen) this.committed()
    }
  }

  /** @internal Runs `body` with a write transaction at once, on this thread; an error if somebody is writing. */
  atOnce<T>(body: (run: (sql: string) => void) => T): T {
    this.checkOpen()
    this.refuseInside('change of shape')
    const begin = () => {
      this.native.catchUp()
      return this.native.tryBegin()
    }
    const native = this.#queue.isIdle ? crossing(begin) : null
    if (native === null) {
      throw new RelationalStoreError('Conflict', 'tables cannot be made while a transaction is open', {
        hint: 'make the RelationalStore before transactions begin, or after they have ended',
      })
    }
    try {
      const value = body((sql) => {
        const cells = this.cells()
        const count = cells.pack([])
        crossing(() => runIn(native.number(), this.statement(sql).number, cells.io, count, false), sql)
      })
      crossing(() => native.commit())
      return value
    } finally {
      native.rollBack()
      this.committed()
    }
  }

  /** The store's tables as of the last commit. */
  shape(): Shape {
    this.checkOpen()
    return parseShape(crossing(() => this.native.describe()))
  }

  /** @internal The commits from now on, or after `options.from`. */
  feed({ from, tables = [], images }: FollowOptions): NativeFeed {
    this.checkOpen()
    return crossing(() => this.native.follow(from ?? null, [...tables], images === 'full'))
  }

  /** @internal The commits after the cursor `name`. */
  durableFeed(name: string, { from, tables = [], images, snapshot = false }: ChangesOptions): Promise<NativeFeed> {
    const open = () => this.native.subscribe(name, from ?? null, snapshot, [...tables], images === 'full')
    // A new cursor is written, and whoever writes waits for its turn.
    return this.exclusively(() => this.workers.do(open, (job) => this.native.takeFeed(job)))
  }

  /** @internal Moves the cursor of a durable feed. */
  acknowledge(feed: NativeFeed, lsn: number): Promise<void> {
    return this.exclusively(() => this.workers.do(() => feed.acknowledge(lsn), (job) => this.native.takeNothing(job)))
  }

  /** @internal Calls `handler` with each commit of `feed`, in order. */
  follow(feed: NativeFeed, isWaitedFor: boolean, handler: (commit: Commit) => Promise<void> | void, ended?: () => void): Subscription {
    this.checkOpen()
    const subscription = new Subscription(this, feed, handler, isWaitedFor, () => {
      this.#subscriptions.delete(subscription)
      ended?.()
    })
    this.#subscriptions.add(subscription)
    return subscription
  }

  /**
   * Closes the store: what was begun before is finished, open transactions are rolled back, handlers hear of what was committed. Queries that
   * run are stopped. A handler that calls this hears of nothing more: it is not waited for.
   */
  async close(): Promise<void> {
    if (whereInside()?.mayClose === false) this.refuseInside('close')
    leaveHandler(this)
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isOpen = false
    for (const root of this.#open) Transaction.abandon(root)
    await this.#queue.drained()
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.end()))
    this.native.stop()
    await this.workers.idle()
    this.#statements.clear()
    try {
      await this.workers.do(() => this.native.close(), (job) => this.native.takeNothing(job))
    } finally {
      this.workers.end()
      this.native.end()
      opened.delete(this)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

branded('Database', Database)

/** Opens the store `options.ns` of the installation in the folder `dir`, and makes what is not there. `:memory:` is a store that goes away when it is closed. */
export function open(dir: string, options: OpenOptions = {}): Database {
  if (typeof dir !== 'string' || dir === '') {
    throw new RelationalStoreError('Invalid', 'open takes the path of a folder', { hint: "open('./data', { ns: 'acme' }), or open(':memory:')" })
  }
  return new Database(dir, options)
}

/** Statements of a migration, one after another. */
export class MigrationExecutor implements Executor, Inside {
  isOpen = true
  readonly parent = undefined
  readonly given = 'db'
  readonly mayClose = false
  #tail: Promise<unknown> = Promise.resolve()

  constructor(
    readonly database: Database,
    readonly native: NativeMigration,
  ) {}

  execute(sql: string, params: readonly unknown[], shape: RowShape): Promise<Answered> {
    const answered = this.#tail.then(async () => {
      const cells = this.database.cells()
      const count = cells.pack(params, sql)
      const answer = await this.database.later(() => this.native.run(sql, cells.io, count), sql)
      return this.database.gatherLater(answer, shape)
    })
    this.#tail = answered.then(noop, noop)
    return answered
  }

  /** Waits for the statements that were begun. */
  async settled(): Promise<void> {
    await this.#tail
  }
}

branded('MigrationExecutor', MigrationExecutor)

export function noop(): void {}

export { GIVEN }
