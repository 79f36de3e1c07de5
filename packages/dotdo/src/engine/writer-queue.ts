// Who may write, in the order of asking. Single statements that wait are committed together.

import type { Answered, Database, RowShape, Statement } from './database.js'
import { crossing, translated } from './error.js'

/** The most statements that share a commit. */
const TOGETHER_MAX = 256

interface Write {
  statement: Statement
  params: readonly unknown[]
  shape: RowShape
  resolve: (answered: Answered) => void
  reject: (error: unknown) => void
}

/** Whoever wants the writer for itself. */
interface Turn {
  begin: () => void
}

export class WriterQueue {
  readonly #database: Database
  #waiting: (Write | Turn)[] = []
  #isBusy = false
  #drained: (() => void)[] = []

  constructor(database: Database) {
    this.#database = database
  }

  /** Nobody writes, and nobody waits for that. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#waiting.length === 0
  }

  /** Runs a statement as its own transaction, in its turn. */
  write(statement: Statement, params: readonly unknown[], shape: RowShape): Promise<Answered> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statement, params, shape, resolve, reject })
      // After this turn of the program: what it asks for together is committed together.
      if (!this.#isBusy && this.#waiting.length === 1) queueMicrotask(() => this.#next())
    })
  }

  /** Waits for the writer; what is given gives it back. */
  async acquire(): Promise<() => void> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ begin })
      if (this.#waiting.length === 1) this.#next()
    })
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      this.#release()
    }
  }

  /** Waits until nobody waits. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve)
      this.#tellDrained()
    })
  }

  #release(): void {
    this.#isBusy = false
    this.#next()
    this.#tellDrained()
  }

  #tellDrained(): void {
    if (!this.isIdle) return
    const drained = this.#drained
    this.#drained = []
    for (const resolve of drained) resolve()
  }

  #next(): void {
    const first = this.#waiting[0]
    if (this.#isBusy || first === undefined) return
    this.#isBusy = true
    if ('begin' in first) {
      this.#waiting.shift()
      first.begin()
      return
    }
    let count = 0
    while (count < TOGETHER_MAX && count < this.#waiting.length && !('begin' in this.#waiting[count]!)) count++
    const writes = this.#waiting.splice(0, count) as Write[]
    this.#run(writes).finally(() => this.#release())
  }

  /** Runs statements together; each hears of its own outcome. */
  async #run(writes: Write[]): Promise<void> {
    const packed = writes.filter((write) => {
      try {
        const cells = this.#database.cells()
        const count = cells.pack(write.params, write.statement.sql)
        crossing(() => write.statement.native.wait(cells.io, count))
        return true
      } catch (error) {
        write.reject(error)
        return false
      }
    })
    if (packed.length === 0) return
    try {
      const begun = performance.now()
      const { native, workers } = this.#database
      const outcomes = await workers.do(() => native.flush(), (job) => native.takeOutcomes(job))
      const each = (performance.now() - begun) / packed.length
      for (const [at, write] of packed.entries()) {
        const cells = this.#database.cells()
        try {
          const answered = this.#database.gather(cells, outcomes.take(at, cells.io), write.shape)
          write.statement.tookOnWorker(each)
          write.resolve(answered)
        } catch (thrown) {
          write.reject(translated(thrown, write.statement.sql))
        }
      }
    } catch (thrown) {
      for (const write of packed) write.reject(translated(thrown, write.statement.sql))
    } finally {
      this.#database.committed()
    }
  }
}
