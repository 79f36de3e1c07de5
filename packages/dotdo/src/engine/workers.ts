// What workers do: each job's promise is settled when its store tells that it is done.

import type { Job } from './addon.js'
import { crossing, translated } from './error.js'

interface Waiting {
  take: (job: Job) => unknown
  sql: string | undefined
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/** Longer than anything takes. */
const FOR_EVER_MS = 2 ** 31 - 1

export class Workers {
  /** A store or a fleet. */
  native!: { news(): Job[] }
  readonly #waiting = new Map<Job, Waiting>()
  /** Keeps the event loop going while something is waited for. */
  readonly #alive: NodeJS.Timeout
  #idle: (() => void)[] = []

  constructor() {
    this.#alive = setInterval(() => {}, FOR_EVER_MS)
    this.#alive.unref()
  }

  /** Something is done. */
  readonly tell = (): void => {
    for (const job of this.native.news()) {
      const waiting = this.#waiting.get(job)
      if (waiting === undefined) continue
      this.#waiting.delete(job)
      try {
        waiting.resolve(waiting.take(job) as never)
      } catch (thrown) {
        waiting.reject(translated(thrown, waiting.sql))
      }
    }
    if (this.#waiting.size > 0) return
    this.#alive.unref()
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }

  /** Has a job started, and gives what `take` takes of its result. */
  do<T>(start: () => Job, take: (job: Job) => T, sql?: string): Promise<T> {
    const job = crossing(start, sql)
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.size === 0) this.#alive.ref()
      this.#waiting.set(job, { take, sql, resolve, reject })
    })
  }

  /** Waits until nothing is waited for. */
  idle(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  end(): void {
    clearInterval(this.#alive)
  }
}
