// The types of whichever Drizzle is there. Each names what the other has not, which the comments below tell the compiler to let pass: what is
// not there is not chosen.

import type * as core from 'drizzle-orm/sqlite-core'

import type { RunResult } from '../engine/database.js'

type IsV1 = 'SQLiteAsyncDatabase' extends keyof typeof core ? true : false

/** @ts-ignore Drizzle 0.30 to 0.45. */
export type V0<TSchema> = core.BaseSQLiteDatabase<'async', RunResult, TSchema>

/** @ts-ignore Drizzle 1.0. */
export type V1<TRelations> = core.SQLiteAsyncDatabase<'async', RunResult, TRelations>

/** Drizzle's own part of a store. */
export type DrizzleOf<TSchema extends Record<string, unknown>, TRelations> = IsV1 extends true ? V1<TRelations> : V0<TSchema>

/** Drizzle inside a migration. */
export type MigrationDatabase = DrizzleOf<Record<string, unknown>, {}>
