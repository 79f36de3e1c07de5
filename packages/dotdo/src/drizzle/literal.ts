// Drizzle's SQL without parameters: what is kept as text, such as a view, has its values as literals.

import { Param, Placeholder, is } from 'drizzle-orm'
import type { SQLWrapper } from 'drizzle-orm'

import { RelationalStoreError } from '../engine/error.js'
import type { Dialect } from './ddl.js'

/** Whole numbers up to here are integers. */
const EXACT = 2 ** 53

/** The statement as one text. Values are those that would be bound: the columns' encoders have seen them. */
export function inlined(query: SQLWrapper, dialect: Dialect): string {
  const inlining = Object.create(dialect, { escapeParam: { value: (_number: number, value: unknown) => literal(value) } }) as Dialect
  return inlining.sqlToQuery(query.getSQL()).sql
}

/** The value as a literal of SQLite's, of the class that it would be bound as. */
export function literal(value: unknown): string {
  switch (typeof value) {
    case 'number':
      return number(value)
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) throw refused(`${value}n is no 64-bit integer`)
      return signed(String(value))
    case 'boolean':
      return value ? '1' : '0'
    case 'string':
      return text(value)
    case 'undefined':
      return 'NULL'
    case 'object':
      if (value === null) return 'NULL'
      if (value instanceof Date) {
        if (Number.isNaN(value.getTime())) throw refused('an invalid Date')
        return number(value.getTime())
      }
      if (ArrayBuffer.isView(value)) return blob(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
      if (value instanceof ArrayBuffer) return blob(Buffer.from(value))
      if (is(value, Placeholder) || is(value, Param)) throw refused('a placeholder', 'give the value itself: what is kept is run without its program')
      throw refused(`an object (${value.constructor?.name ?? 'without a class'})`)
    default:
      throw refused(`a ${typeof value}`)
  }
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NULL'
  if (!Number.isFinite(value)) return signed(value < 0 ? '-9e999' : '9e999')
  // Minus zero is a real, as it is when it is bound.
  if (Object.is(value, -0)) return '(-0.0)'
  if (Number.isInteger(value) && Math.abs(value) <= EXACT) return signed(String(value))
  const written = String(value)
  return signed(/[.e]/.test(written) ? written : `${written}.0`)
}

/** In parentheses where it has a sign: two signs in a row would begin a comment. */
function signed(written: string): string {
  return written.startsWith('-') ? `(${written})` : written
}

function text(value: string): string {
  // A text of SQL ends where a NUL is.
  if (value.includes('\0')) return `CAST(${blob(Buffer.from(value, 'utf8'))} AS TEXT)`
  return `'${value.replaceAll("'", "''")}'`
}

function blob(bytes: Buffer): string {
  return `x'${bytes.toString('hex')}'`
}

function refused(what: string, hint = 'give null, a number, a bigint, a string, a boolean, a Date or bytes'): RelationalStoreError {
  return new RelationalStoreError('Invalid', `a value cannot be kept in SQL: ${what}`, { hint })
}
