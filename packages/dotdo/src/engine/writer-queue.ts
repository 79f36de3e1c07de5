// Who may write, in the order of asking. Single statements go to the worker as they come, and those that it finds waiting are committed together.

import { enqueue } from './addon.js'
import type { Job } from './addon.js'
import type { Answered, Database, RowShape, Statement } from './database.js'
import { crossing, translated } from './error.js'

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
  /** Who has to wait: for whoever has the writer for itself, or behind somebody who wants it. */
  readonly #waiting: (Write | Turn)[] = []
  /** Statements that the worker has, by the job that runs them. */
  readonly #running = new Map<Job, Write[]>()
  #hasTurn = false
  #drained: (() => void)[] = []

  constructor(database: Database) {
    this.#database = database
  }

  /** Nobody writes, and nobody waits for that. */
  get isIdle(): boolean {
    return !this.#hasTurn && this.#running.size === 0 && this.#waiting.length === 0
  }

  /** Runs a statement as its own transaction, in its turn. */
  write(statement: Statement, params: readonly unknown[], shape: RowShape): Promise<Answered> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statement, params, shape, resolve, reject })
      this.#next()
    })
  }

  /** Waits for the writer; what is given gives it back. */
  async acquire(): Promise<() => void> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ begin })
      this.#next()
    })
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      this.#hasTurn = false
      this.#next()
    }
  }

  /** Waits until nobody waits. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve)
      this.#next()
    })
  }

  #next(): void {
    while (!this.#hasTurn && this.#waiting.length > 0) {
      const first = this.#waiting[0]!
      if (!('begin' in first)) {
        this.#waiting.shift()
        this.#send(first)
      } else if (this.#running.size === 0) {
        this.#waiting.shift()
        this.#hasTurn = true
        first.begin()
      } else {
        return
      }
    }
    if (!this.isIdle) return
    const drained = this.#drained
    this.#drained = []
    for (const resolve of drained) resolve()
  }

  #send(write: Write): void {
    const cells = this.#database.cells()
    let job: Job
    try {
      const count = cells.pack(write.params, write.statement.sql)
      job = crossing(() => enqueue(write.statement.number, cells.io, count), write.statement.sql)
    } catch (error) {
      write.reject(error)
      return
    }
    const others = this.#running.get(job)
    if (others !== undefined) {
      others.push(write)
      return
    }
    const writes = [write]
    this.#running.set(job, writes)
    void this.#finish(job, writes)
  }

  /** Waits for what the worker does, and tells each of its own outcome. */
  async #finish(job: Job, writes: readonly Write[]): Promise<void> {
    const { native, workers } = this.#database
    try {
      const outcomes = await workers.do(
        () => job,
        (done) => native.takeOutcomes(done),
      )
      for (const [at, write] of writes.entries()) {
        const cells = this.#database.cells()
        try {
          const text = outcomes.take(at, cells.io)
          write.statement.tookOnWorker(cells.elapsedMs)
          write.resolve(this.#database.gather(cells, text, write.shape))
        } catch (thrown) {
          write.reject(translated(thrown, write.statement.sql))
        }
      }
    } catch (thrown) {
      for (const write of writes) write.reject(translated(thrown, write.statement.sql))
    }
    this.#running.delete(job)
    this.#database.committed()
    this.#next()
  }
}
