// Whether a change of shape may be made: judged by the rules of a compatibility mode, before it is.

import { Database } from '../../engine/database.js'
import { RelationalStoreError, crossing } from '../../engine/error.js'
import type { Dialect } from '../../drizzle/ddl.js'
import { isV1 } from '../../drizzle/generation.js'
import { script, statements } from '../../drizzle/tables.js'
import * as core from 'drizzle-orm/sqlite-core'

import { RelationalStore } from './store.js'

/** Which readers must be able to read which rows. */
export type CompatibilityMode = 'NONE' | 'BACKWARD' | 'BACKWARD_TRANSITIVE' | 'FORWARD' | 'FORWARD_TRANSITIVE' | 'FULL' | 'FULL_TRANSITIVE'

/** A default: a constant, or an expression. */
export type ChangeDefault = string | number | boolean | null | { sql: string }

/** One change of shape. */
export type SchemaChange =
  | { type: 'ADD_COLUMN'; table: string; column: { name: string; type: string; nullable?: boolean; default?: ChangeDefault } }
  | { type: 'DROP_COLUMN'; table: string; column: string }
  | { type: 'RENAME_COLUMN'; table: string; from: string; to: string }
  | { type: 'MODIFY_COLUMN'; table: string; column: string; changes: { type?: string; nullable?: boolean; default?: ChangeDefault } }

/** One thing that a check found. */
export interface CompatibilityFinding {
  /** Its stable code. */
  code: string
  severity: 'error' | 'warning'
  /** Where: `orders.total`, `orders`. */
  path: string
  direction: 'BACKWARD' | 'FORWARD'
  /** The version that it is found against. */
  against: number
  message: string
  /** A way out. */
  fix: string
}

/** The answer of a check. */
export interface CompatibilityReport {
  ok: boolean
  mode: CompatibilityMode
  /** Left out if there are none. */
  errors?: CompatibilityFinding[]
  /** Left out if there are none. */
  warnings?: CompatibilityFinding[]
  /** What statements of programs that were not upgraded meet. */
  oldSql?: { code: string; severity: 'error' | 'warning'; path: string; message: string }[]
  upgradeFirst: string
  hint?: string
}

export interface SchemaEvolutionOptions {
  mode?: CompatibilityMode
}

const CHANGES = new Set(['ADD_COLUMN', 'DROP_COLUMN', 'RENAME_COLUMN', 'MODIFY_COLUMN'])

/** A check of changes of shape under a compatibility mode. */
export class SchemaEvolution {
  readonly #database: Database
  readonly #dialect: Dialect | undefined
  readonly mode: CompatibilityMode

  constructor(db: Database | RelationalStore<any, any>, options: SchemaEvolutionOptions = {}) {
    this.#database = databaseOf(db)
    this.#dialect = db instanceof RelationalStore ? (db as unknown as { dialect: Dialect }).dialect : undefined
    this.mode = options.mode ?? 'BACKWARD'
  }

  /** Whether a Drizzle schema may follow the shapes that the store has had, or one change be made to the last. Nothing is changed. */
  async checkCompatibility(proposed: Record<string, unknown> | SchemaChange): Promise<CompatibilityReport> {
    this.#database.checkOpen()
    if (typeof proposed !== 'object' || proposed === null) {
      throw new RelationalStoreError('Invalid', 'checkCompatibility takes an object of tables, or one change')
    }
    const { native } = this.#database
    if (isChange(proposed)) return JSON.parse(crossing(() => native.checkChange(this.mode, JSON.stringify(proposed)))) as CompatibilityReport
    const sql = script(statements(proposed, this.#dialect ?? plainDialect()))
    return JSON.parse(crossing(() => native.checkShape(this.mode, sql))) as CompatibilityReport
  }
}

function isChange(proposed: object): proposed is SchemaChange {
  const { type } = proposed as { type?: unknown }
  return typeof type === 'string' && (CHANGES.has(type) || 'table' in proposed)
}

/** The dialect of a program that says nothing of names. */
function plainDialect(): Dialect {
  const { SQLiteDialect, SQLiteAsyncDialect } = core as unknown as Record<string, new (config?: object) => Dialect>
  return isV1 ? new SQLiteDialect!() : new SQLiteAsyncDialect!({})
}

/** The database of a store, or the one that is given. */
export function databaseOf(db: unknown): Database {
  if (db instanceof Database) return db
  if (db instanceof RelationalStore) return db.$client as Database
  throw new RelationalStoreError('Invalid', 'no database: give what open() gave, or a RelationalStore')
}
