// Drizzle's tables and the store's: made where they are missing, compared where they are there.

import type { Database } from '../engine/database.js'
import { RelationalStoreError } from '../engine/error.js'
import { shapeOf, tableOf } from '../engine/shape.js'
import type { Shape, TableShape } from '../engine/shape.js'
import { statementsOf, tablesOf } from './ddl.js'
import type { Dialect, TableStatements } from './ddl.js'

/** The statements of all tables of a schema object. */
export function statements(schema: Record<string, unknown>, dialect: Dialect): TableStatements[] {
  return tablesOf(schema).map((table) => statementsOf(table, dialect))
}

/** All statements as one text. */
export function script(tables: readonly TableStatements[]): string {
  return tables.flatMap((table) => [table.create, ...table.indexes]).join(';\n')
}

/** Makes the tables that the store lacks, in one transaction. Those that are there must be as the program has them. */
export function ensureTables(database: Database, tables: readonly TableStatements[]): void {
  if (tables.length === 0) return
  const found = database.shape()
  const wanted = shapeOf(script(tables))
  const differences = tables.flatMap((table) => compare(table, found, wanted))
  if (differences.length > 0) {
    throw new RelationalStoreError('Incompatible', `the store's tables are not those of the schema: ${differences.join('; ')}`, {
      context: [['ns', database.ns]],
      hint: 'migrate the store (migrate, store.migrate) before it is used with this schema, or give the schema that it has',
    })
  }
  const missing = tables.filter((table) => tableOf(found, table.name) === undefined)
  if (missing.length === 0) return
  database.atOnce((run) => {
    for (const table of missing) {
      run(table.create)
      for (const index of table.indexes) run(index)
    }
  })
}

/** What of a table that is there is not as it is wanted, in words. */
function compare(table: TableStatements, found: Shape, wanted: Shape): string[] {
  const there = tableOf(found, table.name)
  const here = tableOf(wanted, table.name)
  if (there === undefined || here === undefined) return []
  const out: string[] = []
  for (const column of here.columns) {
    const path = `${table.name}.${column.name}`
    const other = there.columns.find((c) => isSame(c.name, column.name))
    if (other === undefined) {
      out.push(`${path} is missing`)
      continue
    }
    const types = table.columns.find((c) => isSame(c.name, column.name))
    if (types !== undefined && ![types.declared, types.drizzle].some((type) => isSame(type, other.declared))) {
      out.push(`${path} is ${other.declared || 'without a type'}, not ${types.declared}`)
    }
    if (other.notNull !== column.notNull) out.push(`${path} ${other.notNull ? 'takes no NULL' : 'takes NULL'}`)
    if ((other.generated ?? '') !== (column.generated ?? '')) out.push(`${path} is ${other.generated === null ? 'not ' : ''}generated`)
  }
  for (const column of there.columns) {
    const isUnknown = !here.columns.some((c) => isSame(c.name, column.name))
    // Other columns may be there, as long as a row can be inserted without them.
    if (isUnknown && column.notNull && column.default === null && column.generated === null) {
      out.push(`${table.name}.${column.name} needs a value, and the schema does not have it`)
    }
  }
  if (!areSame(there.primaryKey, here.primaryKey)) out.push(`${table.name} has the primary key (${there.primaryKey.join(', ')})`)
  for (const key of here.unique) {
    const isThere = there.unique.some((other) => other.partial === key.partial && areSame(other.columns, key.columns))
    if (!isThere) out.push(`${table.name}(${key.columns.map((c) => c ?? 'an expression').join(', ')}) is not unique`)
  }
  out.push(...foreignKeys(table.name, there, here))
  return out
}

function foreignKeys(name: string, there: TableShape, here: TableShape): string[] {
  const missing = here.foreignKeys.filter((key) => !there.foreignKeys.some((other) => isSame(other.parent, key.parent) && areSame(other.columns, key.columns)))
  return missing.map((key) => `${name}(${key.columns.join(', ')}) does not refer to ${key.parent}`)
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function areSame(a: readonly (string | null)[], b: readonly (string | null)[]): boolean {
  return a.length === b.length && a.every((name, i) => isSame(name ?? '', b[i] ?? ''))
}
