// Which Drizzle is here. What differs between 0.30 to 0.45 and 1.0 is in v0.ts and v1.ts; everything else is shared.

import type { Logger } from 'drizzle-orm'
import * as core from 'drizzle-orm/sqlite-core'

import type { Answered, Executor, RowShape } from '../engine/database.js'
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

/** Whether some parameter is still to be filled in: a placeholder, or a parameter with one in it. */
export function hasPlaceholders(params: readonly unknown[]): boolean {
  return params.some((param) => typeof param === 'object' && param !== null && !ArrayBuffer.isView(param) && !(param instanceof Date))
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
