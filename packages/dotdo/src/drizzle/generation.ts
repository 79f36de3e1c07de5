// Which Drizzle is here. What differs between 0.30 to 0.45 and 1.0 is in v0.ts and v1.ts; everything else is shared.

import { Param, Placeholder, fillPlaceholders, is } from 'drizzle-orm'
import type { Logger } from 'drizzle-orm'
import * as core from 'drizzle-orm/sqlite-core'

import type { Answered, Executor, RowShape, RunResult } from '../engine/database.js'
import { RelationalStoreError } from '../engine/error.js'
import type { Reading } from '../engine/rows.js'

/** What a program may say of how Drizzle is used. */
export interface DrizzleConfig<TRelations = unknown> {
  /** `true` prints each statement. */
  logger?: boolean | Logger
  /** Drizzle's query cache, from 0.44 on. */
  cache?: unknown
  /** How the names of columns are made of those in the program, from 0.34 to 0.45. */
  casing?: 'snake_case' | 'camelCase'
  /** What `defineRelations` gave, from 1.0 on. */
  relations?: TRelations
}

/** What both generations need to know of each statement. */
export interface SessionOptions {
  logger: Logger | undefined
  cache: unknown
}

/** A room for one generation. */
export interface Generation {
  /** What `RelationalStore` extends: its constructor takes a kind, a dialect, a session and a schema or relations. */
  readonly Base: unknown
  /** The arguments of that constructor. */
  connect(executor: Executor, schema: Record<string, unknown>, config: DrizzleConfig, options: SessionOptions): unknown[]
  /** Drizzle on statements of another place, as the store's is on its own: for a migration. */
  on(store: { dialect: unknown; session: unknown }, executor: Executor): unknown
  /** A query that was built on a store, as its rows are read one after another. Nothing if it is none. */
  reading(session: unknown, query: unknown, placeholders: Record<string, unknown>): Reading | undefined
  /** Runs a query that was built on the store in another place. */
  runIn(executor: Executor, session: unknown, query: unknown): Promise<unknown>
}

/** Whether this is Drizzle 1.0. */
export const isV1 = 'SQLiteAsyncDatabase' in core

/** Why a statement cannot begin a transaction here. */
export function noTransaction(): RelationalStoreError {
  return new RelationalStoreError('Unsupported', 'a migration is one transaction already', { hint: 'run the statements as they are' })
}

/** Runs a statement and tells the logger of it. */
export function execute(
  executor: Executor,
  options: SessionOptions,
  sql: string,
  params: readonly unknown[],
  shape: RowShape,
): Answered | Promise<Answered> {
  options.logger?.logQuery(sql, params as unknown[])
  return executor.execute(sql, params, shape)
}

/** What a statement gives, put through `map`, as a promise. What is there at once is not waited for. */
export function promised<T>(run: () => Answered | Promise<Answered>, map: (answered: Answered) => T): Promise<T> {
  try {
    const answered = run()
    return answered instanceof Promise ? answered.then(map) : Promise.resolve(map(answered))
  } catch (thrown) {
    return Promise.reject(thrown)
  }
}

/** What a statement that gives no rows is said to have done. */
export function ran({ changes, lastInsertRowid }: Answered): RunResult {
  return { changes, lastInsertRowid }
}

export function rowsOf({ rows }: Answered): unknown[] {
  return rows
}

export function firstOf({ rows }: Answered): unknown {
  return rows[0]
}

type Values = Record<string, unknown>

interface Encoder {
  mapToDriverValue(value: unknown): unknown
}

/** A parameter with a placeholder in it, which is encoded when it is filled in. */
interface EncodedPlaceholder {
  value: Placeholder
  encoder: Encoder
}

/** Whether this version of Drizzle encodes what fills such a parameter, null excepted, and does no more to it. */
function encodes(): boolean {
  const encoder = { mapToDriverValue: (value: unknown) => [value] }
  const filled = fillPlaceholders([new Param(new Placeholder('p'), encoder as never)], { p: 1 })
  return Array.isArray(filled[0]) && filled[0][0] === 1
}

let isEncoding: boolean | undefined

/** Fills in placeholders, as drizzle-orm's fillPlaceholders does, with what can be known before the call known; nothing if there are none. */
export function filler(params: readonly unknown[]): ((values: Values) => unknown[]) | undefined {
  const open: number[] = []
  const names: string[] = []
  const encoders: (Encoder | undefined)[] = []
  for (const [at, param] of params.entries()) {
    if (typeof param !== 'object' || param === null || ArrayBuffer.isView(param) || param instanceof Date) continue
    if (is(param, Placeholder)) {
      names.push(param.name)
      encoders.push(undefined)
    } else if (is(param, Param) && is(param.value, Placeholder)) {
      const { value, encoder, codec } = param as unknown as EncodedPlaceholder & { codec?: unknown }
      isEncoding ??= encodes()
      if (!isEncoding || codec !== undefined) return (values) => fillPlaceholders(params as unknown[], values)
      names.push(value.name)
      encoders.push(encoder)
    } else {
      continue
    }
    open.push(at)
  }
  if (open.length === 0) return undefined
  return (values) => {
    const filled = params.slice()
    for (let i = 0; i < open.length; i++) {
      const at = open[i]!
      const value = values[names[i]!]
      const encoder = encoders[i]
      // Drizzle has the words for what is missing, and its versions differ about null.
      if (value === undefined || (value === null && encoder !== undefined)) filled[at] = fillPlaceholders([params[at]], values)[0]
      else filled[at] = encoder === undefined ? value : encoder.mapToDriverValue(value)
    }
    return filled
  }
}

/** A query of a builder as it is prepared; one that is prepared, or raw, as it is. */
export function preparedOf(query: unknown): unknown {
  const { _prepare } = (query ?? {}) as { _prepare?(): unknown }
  return typeof _prepare === 'function' ? _prepare.call(query) : query
}

/** The text and parameters of what Drizzle's `all(sql)` gave, if it is that. */
export function rawOf(query: unknown): { sql: string; params: unknown[] } | undefined {
  const { getQuery } = (query ?? {}) as { getQuery?(): { sql: string; params: unknown[] } }
  if (typeof getQuery !== 'function') return undefined
  const { sql, params } = getQuery.call(query)
  return { sql, params }
}
