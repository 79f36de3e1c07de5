// Values that Drizzle itself cannot turn into parameters: the error says which column would not take them.

import { Column, Param, SQL, Table, getTableName, is } from 'drizzle-orm'

import { RelationalStoreError } from '../engine/error.js'
import { PARAMETERS_MAX } from '../engine/parameter.js'

interface TextOfQueries {
  sqlToQuery(sql: SQL, source?: never): unknown
}

/** The dialect, which says what is wrong where it cannot make the text of a query. */
export function explaining<T extends object>(dialect: T): T {
  const plain = dialect as T & TextOfQueries
  const { sqlToQuery } = plain
  // Of whatever it is called on: a dialect may be derived from this one.
  plain.sqlToQuery = function (this: TextOfQueries, sql, source) {
    try {
      return sqlToQuery.call(this, sql, source)
    } catch (thrown) {
      throw explained(thrown, sql)
    }
  }
  return dialect
}

function explained(thrown: unknown, sql: SQL): unknown {
  if (thrown instanceof RelationalStoreError) return thrown
  if (thrown instanceof RangeError) {
    // So many that they are no arguments of a function any more.
    return new RelationalStoreError('Invalid', 'the statement has too many parameters', {
      cause: thrown,
      context: [['parameters_max', String(PARAMETERS_MAX)]],
      hint: 'do it in several statements of one transaction',
    })
  }
  const refused = refusedIn(sql, new Set())
  if (refused === undefined) return thrown
  const { column, value, cause } = refused
  const table = getTableName(column.table)
  const said = cause instanceof Error ? cause.message : String(cause)
  return new RelationalStoreError('Invalid', `${table}.${column.name} takes ${column.dataType}, not ${kindOf(value)}: ${said}`, {
    cause,
    table,
    columns: [column.name],
    hint: `give what the column's type says (${column.columnType})`,
  })
}

interface Refused {
  column: Column
  value: unknown
  cause: unknown
}

/** The first value that the encoder of its column refuses. */
function refusedIn(chunk: unknown, seen: Set<unknown>): Refused | undefined {
  if (typeof chunk !== 'object' || chunk === null || seen.has(chunk)) return undefined
  seen.add(chunk)
  if (is(chunk, Param)) {
    const { value, encoder } = chunk as { value: unknown; encoder: { mapToDriverValue(value: unknown): unknown } }
    if (!is(encoder, Column)) return refusedIn(value, seen)
    try {
      if (value !== null && !is(value, SQL)) encoder.mapToDriverValue(value)
    } catch (cause) {
      return { column: encoder, value, cause }
    }
    return refusedIn(value, seen)
  }
  if (is(chunk, Column) || is(chunk, Table)) return undefined
  for (const inner of innerOf(chunk)) {
    const refused = refusedIn(inner, seen)
    if (refused !== undefined) return refused
  }
  return undefined
}

/** What SQL is made of. In 1.0 rows of values are cells one after another, beside the encoders of a row. */
function innerOf(chunk: object): readonly unknown[] {
  if (Array.isArray(chunk)) return chunk
  const { queryChunks, cells, encoders, getSQL } = chunk as { queryChunks?: unknown[]; cells?: unknown[]; encoders?: Column[]; getSQL?(): unknown }
  if (queryChunks !== undefined) return queryChunks
  if (cells !== undefined && encoders !== undefined) {
    return cells.map((cell, i) => (typeof cell === 'object' && cell !== null && 'getSQL' in cell ? cell : new Param(cell, encoders[i % encoders.length]!)))
  }
  return typeof getSQL === 'function' ? [getSQL.call(chunk)] : []
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `the ${typeof value} ${String(value).slice(0, 50)}`
  return `an object (${value.constructor?.name ?? 'without a class'})`
}
