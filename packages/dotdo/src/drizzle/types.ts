// The types of whichever Drizzle is there. Each names what the other has not, which the comments below tell the compiler to let pass: what is
// not there is not chosen.

import type { SQL } from 'drizzle-orm'
import type * as core from 'drizzle-orm/sqlite-core'

import type { RunResult } from '../engine/database.js'

type IsV1 = 'SQLiteAsyncDatabase' extends keyof typeof core ? true : false

/** @ts-ignore Drizzle 0.30 to 0.45. */
export type V0<TSchema> = core.BaseSQLiteDatabase<'async', RunResult, TSchema>

/** @ts-ignore Drizzle 1.0. */
export type V1<TRelations> = core.SQLiteAsyncDatabase<'async', RunResult, TRelations>

/** Drizzle's own part of a store. */
export type DrizzleOf<TSchema extends Record<string, unknown>, TRelations> = IsV1 extends true ? V1<TRelations> : V0<TSchema>

/** What rows can be read of one after another: a query that may be awaited, one that is prepared, or SQL. */
export type Readable = PromiseLike<unknown> | { execute(placeholders?: Record<string, unknown>): unknown } | SQL

/** A row of such a query. */
export type RowOf<Q extends Readable> =
  Q extends SQL<infer Row> ? (unknown extends Row ? Record<string, unknown> : Row) : Q extends PromiseLike<infer Rows> ? OneOf<Rows> : ExecutedRow<Q>

type ExecutedRow<Q> = Q extends { execute(...args: any[]): infer Executed } ? OneOf<Awaited<Executed>> : never
type OneOf<Rows> = Rows extends readonly (infer Row)[] ? Row : Exclude<Rows, undefined>

/** Drizzle inside a migration. */
export type MigrationDatabase = DrizzleOf<Record<string, unknown>, {}>
