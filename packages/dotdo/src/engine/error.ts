// Errors: what the addon says as JSON, as one class that programs match on.

import { branded } from './brand.js'

/** What to do about an error: each kind has its own answer. */
export type ErrorKind =
  /** Fix the call. */
  | 'Invalid'
  /** The row breaks the schema. */
  | 'Constraint'
  /** The compatibility mode refuses the change of shape. */
  | 'Incompatible'
  /** The named thing does not exist. */
  | 'NotFound'
  /** Something else happened first: run the transaction again. */
  | 'Conflict'
  /** A resource is away, full or locked: try again later. */
  | 'Unavailable'
  /** Understood, and not offered. */
  | 'Unsupported'
  /** The handle is of no use any more: open the store again. */
  | 'Closed'
  /** Bytes are not what was written: stop, and restore. */
  | 'Corrupt'
  /** A bug of this package. */
  | 'Internal'

export interface ErrorDetails {
  /** Where it happened: pairs of a name and a value. */
  context?: readonly (readonly [string, string])[]
  hint?: string | null
  cause?: unknown
  code?: string
  table?: string | null
  columns?: readonly string[]
  constraint?: string | null
  sql?: string
}

/** Any error of the store. */
export class RelationalStoreError extends Error {
  override readonly name = 'RelationalStoreError'
  /** What to do about it. */
  readonly kind: ErrorKind
  /** SQLite's code where a constraint was broken (`SQLITE_CONSTRAINT_UNIQUE` and so on), the kind otherwise. */
  readonly code: string
  /** The way out, where there is one. */
  readonly hint: string | undefined
  /** The table that it is about, where that is known. */
  readonly table: string | undefined
  /** The column that it is about, where that is known; of several the first. */
  readonly column: string | undefined
  /** All columns that it is about. */
  readonly columns: readonly string[]
  /** The constraint that was broken: its name, or the columns that it is on, as `users.email`. */
  readonly constraint: string | undefined
  /** The statement. */
  readonly sql: string | undefined
  /** Everything that is known of where it happened. */
  readonly context: Readonly<Record<string, string>>

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    const context = Object.fromEntries(details.context ?? [])
    const shown = Object.entries(context).filter(([key]) => key !== 'sql')
    const where = shown.length === 0 ? '' : ` (${shown.map(([key, value]) => `${key}: ${value}`).join(', ')})`
    super(`${message}${where}${details.hint ? `\n  Try: ${details.hint}` : ''}`, { cause: details.cause ?? undefined })
    this.kind = kind
    this.code = details.code ?? kind
    this.hint = details.hint ?? undefined
    this.columns = details.columns ?? []
    this.table = details.table ?? context['table']
    this.column = this.columns[0] ?? context['column']
    const on = this.columns.map((column) => (this.table === undefined ? column : `${this.table}.${column}`)).join(', ')
    this.constraint = details.constraint ?? (kind === 'Constraint' && on !== '' ? on : undefined)
    this.sql = details.sql ?? context['sql']
    this.context = context
  }
}

branded('RelationalStoreError', RelationalStoreError)

interface Crossed {
  kind: ErrorKind
  message: string
  context: [string, string][]
  hint: string | null
  cause: string | null
  constraint: { code: string; table: string | null; columns: string[]; name: string | null } | null
}

/** What the addon threw, as the error that it stands for. `sql` is the whole statement, which the addon's own context shortens. */
export function translated(thrown: unknown, sql?: string): unknown {
  if (!(thrown instanceof Error) || thrown instanceof RelationalStoreError || !thrown.message.startsWith('{"kind"')) return thrown
  let crossed: Crossed
  try {
    crossed = JSON.parse(thrown.message) as Crossed
  } catch {
    return thrown
  }
  const { kind, message, context, hint, cause, constraint } = crossed
  const details: ErrorDetails = { context, hint }
  if (sql !== undefined) details.sql = sql
  if (cause !== null) details.cause = new Error(cause)
  if (constraint !== null) {
    details.code = constraint.code
    details.table = constraint.table
    details.columns = constraint.columns
    details.constraint = constraint.name
  }
  return new RelationalStoreError(kind, message, details)
}

/** Runs `call` on the addon. */
export function crossing<T>(call: () => T, sql?: string): T {
  try {
    return call()
  } catch (thrown) {
    throw translated(thrown, sql)
  }
}
