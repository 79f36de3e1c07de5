// Transactions whose callback may await: they have the writer until they end, and nest.

import { runIn } from './addon.js'
import type { NativeTransaction } from './addon.js'
import { branded } from './brand.js'
import { OBJECTS, noop, runInside, whereInside } from './database.js'
import type { Answered, Database, Executor, Inside, RowShape, Statement } from './database.js'
import { RelationalStoreError, crossing, translated } from './error.js'

/** What a transaction and those nested in it share. */
export interface Root {
  readonly database: Database
  readonly native: NativeTransaction
  /** By which the addon knows it. */
  readonly number: number
  /** The statement on a worker, and those that wait for it. */
  tail: Promise<unknown> | undefined
  statements: number
  isOpen: boolean
  /** Ends it from outside. */
  abandon?: (error: RelationalStoreError) => void
}

/** A commit of more statements than this is not done on the calling thread. */
const COMMIT_HERE_MAX = 50

/** An open transaction, or one nested in it. */
export class Transaction implements Executor, Inside {
  readonly given = 'tx'
  readonly mayClose = true
  #isOpen = true
  /** The nested one that is open, and those that wait for it. */
  #nested: Promise<void> | undefined

  private constructor(
    readonly root: Root,
    readonly parent: Transaction | undefined,
  ) {}

  get database(): Database {
    return this.root.database
  }

  /** Whether its callback is running, and nothing has ended it. */
  get isOpen(): boolean {
    return this.#isOpen && this.root.isOpen
  }

  /** @internal */
  static async run<T>(root: Root, body: (transaction: Transaction) => Promise<T> | T, timeoutMs: number, isFull: boolean): Promise<T> {
    const transaction = new Transaction(root, undefined)
    let timer: NodeJS.Timeout | undefined
    try {
      const ended = new Promise<never>((_, reject) => {
        root.abandon = reject
        if (timeoutMs > 0) {
          timer = setTimeout(() => reject(late(timeoutMs)), timeoutMs)
          timer.unref()
        }
      })
      const value = await Promise.race([runInside(transaction, async () => body(transaction)), ended])
      await transaction.#settled()
      root.isOpen = false
      const { native, workers } = root.database
      if (isFull || root.statements > COMMIT_HERE_MAX) await workers.do(() => root.native.commitLater(), (job) => native.takeNothing(job))
      else crossing(() => root.native.commit())
      root.database.committed()
      return value
    } finally {
      clearTimeout(timer)
      root.isOpen = false
      // A worker may have it: to wait for that here would hold up the event loop.
      while (root.tail !== undefined) await root.tail
      root.native.rollBack()
    }
  }

  /** @internal Ends an open transaction because its store is closed. */
  static abandon(root: Root): void {
    root.abandon?.(new RelationalStoreError('Closed', 'the store was closed while the transaction was open'))
  }

  /** Runs one statement, after those that were begun before it. */
  execute(sql: string, params: readonly unknown[], shape: RowShape): Answered | Promise<Answered> {
    this.#checkOpen()
    if (this.#nested !== undefined && !this.#isAround()) {
      // Run now, it would be undone with the nested one.
      return this.#nested.then(() => this.execute(sql, params, shape))
    }
    const statement = this.database.statement(sql)
    this.root.statements++
    if (statement.isQuick && this.root.tail === undefined) return this.#here(statement, params, shape)
    return this.#later(statement, params, shape)
  }

  #here(statement: Statement, params: readonly unknown[], shape: RowShape): Answered {
    const cells = this.database.cells()
    const count = cells.pack(params, statement.sql)
    let text: string | null
    try {
      text = runIn(this.root.number, statement.number, cells.io, count, shape === OBJECTS)
    } catch (thrown) {
      throw translated(thrown, statement.sql)
    }
    statement.tookHere(cells.elapsedMs)
    return this.database.gather(cells, text, shape)
  }

  #later(statement: Statement, params: readonly unknown[], shape: RowShape): Promise<Answered> {
    const run = async () => {
      const cells = this.database.cells()
      const count = cells.pack(params, statement.sql)
      const { native } = this.root
      const answer = await this.database.later(() => native.runLater(statement.number, cells.io, count, shape === OBJECTS), statement.sql)
      statement.tookOnWorker(answer.elapsedMs())
      return this.database.gatherLater(answer, shape)
    }
    const before = this.root.tail
    const answered = before === undefined ? run() : before.then(run)
    const tail: Promise<unknown> = answered.then(noop, noop).then(() => {
      if (this.root.tail === tail) this.root.tail = undefined
    })
    this.root.tail = tail
    return answered
  }

  /** Runs `body` in a transaction nested in this one: what it did is undone if it fails, and this one goes on. Several at once take turns. */
  async transaction<T>(body: (transaction: Transaction) => Promise<T> | T): Promise<T> {
    this.#checkOpen()
    if (this.#isAround()) {
      throw new RelationalStoreError('Invalid', "a nested transaction of the outer tx inside the inner one's callback would wait for itself", {
        hint: 'use the tx that the inner callback is given',
      })
    }
    const before = this.#nested
    let end!: () => void
    const nested = new Promise<void>((resolve) => (end = resolve)).then(() => {
      if (this.#nested === nested) this.#nested = undefined
    })
    this.#nested = nested
    try {
      await before
      while (this.root.tail !== undefined) await this.root.tail
      this.#checkOpen()
      const savepoint = crossing(() => this.root.native.savepoint())
      const inner = new Transaction(this.root, this)
      try {
        const value = await runInside(inner, async () => body(inner))
        await inner.#settled()
        inner.#isOpen = false
        this.#checkOpen()
        crossing(() => this.root.native.release(savepoint))
        return value
      } catch (error) {
        inner.#isOpen = false
        while (this.root.tail !== undefined) await this.root.tail
        // Where the whole transaction has ended there is nothing to undo, and the error is that one's.
        if (this.root.isOpen) undo(() => this.root.native.rollBackTo(savepoint))
        throw error
      }
    } finally {
      end()
    }
  }

  /** Waits for what was begun and not awaited. */
  async #settled(): Promise<void> {
    while (this.#nested !== undefined || this.root.tail !== undefined) {
      await this.#nested
      await this.root.tail
    }
  }

  /** Whether the callback that is running is that of one nested in this. */
  #isAround(): boolean {
    let current: Inside | undefined = whereInside()
    if (current === this || current?.isOpen === false) return false
    while (current !== undefined) {
      if (current === this) return true
      current = current.parent
    }
    return false
  }

  #checkOpen(): void {
    if (this.isOpen) return
    throw new RelationalStoreError('Closed', 'the transaction has ended', { hint: 'await every statement before the callback returns' })
  }
}

branded('Transaction', Transaction)

/** A statement such as INSERT OR ROLLBACK may have ended the whole transaction: the error that is on its way says so. */
function undo(call: () => void): void {
  try {
    crossing(call)
  } catch (error) {
    if (!(error instanceof RelationalStoreError && error.kind === 'Conflict')) throw error
  }
}

function late(timeoutMs: number): RelationalStoreError {
  return new RelationalStoreError('Conflict', "the transaction's callback took too long and it is rolled back", {
    context: [['timeout_ms', String(timeoutMs)]],
    hint: 'do less in one transaction, or open the store with a longer transactionTimeoutMs',
  })
}
