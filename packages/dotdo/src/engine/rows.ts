// The rows of one query, one after another: read ahead a little by a thread of their own, so memory stays as it is.

import { setImmediate as immediate } from 'node:timers/promises'

import type { NativeRows } from './addon.js'
import { TURN_MS } from './database.js'
import type { Database, RowShape } from './database.js'
import { RelationalStoreError, crossing, translated } from './error.js'

/** A query whose rows are wanted, and how they are put together. */
export interface Reading {
  sql: string
  params: readonly unknown[]
  shape: RowShape
  /** What else is made of the rows of a chunk. */
  map?: ((rows: unknown[]) => unknown) | undefined
}

export interface IterateOptions {
  /** Stops the query: the loop throws the signal's reason. */
  signal?: AbortSignal
}

/** Rows for `for await`. The query runs on one state of the store, the last when the loop begins. */
export async function* rowsOf(database: Database, { sql, params, shape, map }: Reading, signal?: AbortSignal): AsyncGenerator<unknown, void, undefined> {
  const check = () => {
    signal?.throwIfAborted()
    database.checkOpen()
  }
  check()
  const statement = database.statement(sql)
  if (statement.writes) throw noQuery(sql)
  const cells = database.cells()
  const count = cells.pack(params, sql)
  const native = crossing(() => statement.native.rows(cells.io, count), sql)
  const unheard = stopOn(signal, native)
  let began = performance.now()
  try {
    for (;;) {
      // What a thread tells comes before timers and sockets, as long as there is some.
      if (performance.now() - began > TURN_MS) {
        await immediate()
        began = performance.now()
      }
      const answer = await database.workers.do(() => native.next(), (job) => database.native.takeAnswer(job), sql)
      check()
      const { rows: found } = await database.gatherLater(answer, shape)
      if (found.length === 0) return
      const rows = map === undefined ? found : map(found)
      for (const row of Array.isArray(rows) ? rows : [rows]) {
        yield row
        check()
      }
    }
  } catch (thrown) {
    // The query may have been stopped for a reason that says more.
    check()
    const error = translated(thrown, sql)
    throw error instanceof RelationalStoreError && error.message.startsWith('the statement writes') ? noQuery(sql) : error
  } finally {
    unheard()
    // A store that is being closed sees to it itself.
    if (database.isOpen) await database.workers.do(() => native.end(), (job) => database.native.takeNothing(job))
    else native.stop()
  }
}

/** Stops the query when the signal says so. The signal does not keep it: a loop that is given up may be collected. */
function stopOn(signal: AbortSignal | undefined, native: NativeRows): () => void {
  if (signal === undefined) return () => {}
  const rows = new WeakRef(native)
  const stop = () => rows.deref()?.stop()
  signal.addEventListener('abort', stop, { once: true })
  return () => signal.removeEventListener('abort', stop)
}

function noQuery(sql: string): RelationalStoreError {
  return new RelationalStoreError('Invalid', 'iterate takes a query, and this statement writes', { sql, hint: 'await it: what it returns is there at once' })
}
