// Who hears of commits: one at a time, in order, the next when the last is handled.

import { AsyncLocalStorage } from 'node:async_hooks'

import type { NativeFeed } from './addon.js'
import type { Database } from './database.js'

/** The event that a mutation emits. */
export interface UnifiedEvent {
  /** A ULID, unique and sortable by time. */
  id: string
  /** `cdc.insert`, `cdc.update`, `cdc.delete`; `cdc.schema` where the shape changed. */
  type: string
  /** When the transaction was committed, ISO 8601 in UTC. */
  timestamp: string
  /** The store's namespace. */
  ns: string
  correlationId?: string
  /** Create, update, delete, or a row that was there; absent where the shape changed. */
  op?: 'c' | 'u' | 'd' | 'r'
  store: 'relational'
  table?: string
  /** The primary key as text; a composite one as a JSON array. */
  key?: string
  /** Column values before: on update those that changed, on delete all. */
  before?: Record<string, unknown>
  /** Column values after: on insert all, on update those that changed. */
  after?: Record<string, unknown>
  /** One id for all changes of a transaction. */
  txid: string
  /** The position in the store's log. */
  lsn: number
  /** The statement that changed the shape. */
  sql?: string
  _meta: { schemaVersion: number; source: string; retries: number }
}

/** The events of one transaction. */
export interface Commit {
  /** The position of its last change. */
  lsn: number
  events: UnifiedEvent[]
  /** Of a part of the initial snapshot: whether it is the first, and the last. */
  snapshot: { isFirst: boolean; isLast: boolean } | null
}

/** Which commits, and how much of them. */
export interface FollowOptions {
  /** Those after this position; from now on if it is not given. */
  from?: number
  /** Changes of these tables alone. */
  tables?: readonly string[]
  /** Of an update the columns that changed, or the whole row. */
  images?: 'changed' | 'full'
}

/** As `FollowOptions`, with a cursor that the store keeps. */
export interface ChangesOptions extends FollowOptions {
  /**
   * The cursor's name. A commit is acknowledged when the loop asks for the next one, and the log is kept until then; what was not is given again
   * by the next loop of that name, also in another process. `from` says where a new one begins.
   */
  name?: string
  /** A new cursor begins with every row that is there, as `r` events, and then the commits after. */
  snapshot?: boolean
}

/** A handler that is running. */
interface Handling {
  subscription: Subscription
  isRunning: boolean
}

const handling = new AsyncLocalStorage<Handling>()

/** If a handler of the database's is calling, nobody waits for it any more: it waits for the caller. */
export function leaveHandler(database: Database): void {
  const current = handling.getStore()
  if (current?.isRunning === true && current.subscription.database === database) current.subscription.leave()
}

/** A handler that is told of commits until it is ended. */
export class Subscription {
  readonly #feed: NativeFeed
  readonly #handler: (commit: Commit) => Promise<void> | void
  readonly #ended: () => void
  #isAwake = false
  #isToLookAgain = false
  #isEnded = false
  #turn: Promise<void> = Promise.resolve()
  /** @internal Its handler is not waited for. */
  leave!: () => void
  readonly #left = new Promise<void>((resolve) => (this.leave = resolve))

  /** @internal */
  constructor(
    /** @internal */
    readonly database: Database,
    feed: NativeFeed,
    handler: (commit: Commit) => Promise<void> | void,
    /** Whether a store that is closed waits until this has heard of everything. */
    readonly isWaitedFor: boolean,
    ended: () => void,
  ) {
    this.#feed = feed
    this.#handler = handler
    this.#ended = ended
  }

  /** There may be something new. */
  wake(): void {
    this.#isToLookAgain = true
    if (this.#isAwake || this.#isEnded) return
    this.#isAwake = true
    this.#turn = this.#look()
  }

  async #look(): Promise<void> {
    try {
      while (this.#isToLookAgain && !this.#isEnded) {
        this.#isToLookAgain = false
        while (!this.#isEnded) {
          const { native, workers } = this.database
          const next = await workers.do(() => this.#feed.next(), (job) => native.takeText(job))
          if (next === null || this.#isEnded) break
          await this.#handle(JSON.parse(next) as Commit)
        }
      }
    } catch (error) {
      // The log cannot be read, or does not reach back to where it was asked for: there is nothing more to hear.
      this.stop()
      unhandled(error)
    } finally {
      this.#isAwake = false
    }
  }

  async #handle(commit: Commit): Promise<void> {
    const current: Handling = { subscription: this, isRunning: true }
    try {
      await handling.run(current, () => this.#handler(commit))
    } finally {
      current.isRunning = false
    }
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Ends it at once. */
  stop(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#feed.end()
    this.#ended()
  }

  /** Ends it because its store is closed. */
  async end(): Promise<void> {
    if (this.isWaitedFor) {
      this.wake()
      await Promise.race([this.#turn, this.#left])
    }
    this.stop()
  }
}

/** An error that nobody waits for is the process's, as that of any promise. */
export function unhandled(error: unknown): void {
  void Promise.reject(error)
}

/** The commits of a store, for `for await`. The loop sees them in order, and holds up nothing but itself. */
export async function* changes(database: Database, options: ChangesOptions): AsyncGenerator<Commit, void, undefined> {
  let wake: (() => void) | undefined
  let handled: (() => void) | undefined
  let commit: Commit | undefined
  let isEnded = false
  const feed = options.name === undefined ? database.feed(options) : await database.durableFeed(options.name, options)
  const subscription = database.follow(
    feed,
    // A loop may never come back for the next one.
    false,
    (next) => {
      commit = next
      wake?.()
      return new Promise<void>((resolve) => (handled = resolve))
    },
    () => {
      isEnded = true
      wake?.()
    },
  )
  subscription.wake()
  try {
    for (;;) {
      if (commit === undefined && !isEnded) await new Promise<void>((resolve) => (wake = resolve))
      if (commit === undefined) return
      const given: Commit = commit
      commit = undefined
      yield given
      if (options.name !== undefined && !isEnded) await database.acknowledge(feed, given.lsn)
      handled?.()
    }
  } finally {
    handled?.()
    subscription.stop()
  }
}
