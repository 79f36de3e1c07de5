// CREATE statements from Drizzle's tables, with types that say what the columns mean: other tiers and programs see booleans and times.

import { Column, SQL, getTableName, is } from 'drizzle-orm'
import { SQLiteTable, getTableConfig } from 'drizzle-orm/sqlite-core'

import { RelationalStoreError } from '../engine/error.js'

type TableConfig = ReturnType<typeof getTableConfig>
type SQLiteColumn = TableConfig['columns'][number]

/** What of a dialect is needed: names as the program wants them, and SQL as text. */
export interface Dialect {
  casing?: { getColumnCasing(column: unknown): string }
  sqlToQuery(sql: SQL): { sql: string; params: unknown[] }
}

/** A table's statements: the table first, then its indexes. */
export interface TableStatements {
  name: string
  /** Each column's type as Drizzle has it, and as it is declared. */
  columns: { name: string; drizzle: string; declared: string }[]
  create: string
  indexes: string[]
}

/** The Drizzle tables of a schema object, whose other members are relations and views. */
export function tablesOf(schema: Record<string, unknown>): SQLiteTable[] {
  const tables: SQLiteTable[] = []
  const names = new Map<string, string>()
  for (const [key, member] of Object.entries(schema)) {
    if (!is(member, SQLiteTable)) {
      if (isOtherMember(member)) continue
      throw new RelationalStoreError('Invalid', `the schema's ${key} is no SQLite table of Drizzle`, {
        hint: "define it with sqliteTable() of drizzle-orm/sqlite-core",
      })
    }
    const name = getTableName(member)
    const other = names.get(name.toLowerCase())
    if (other !== undefined && schema[other] !== member) {
      throw new RelationalStoreError('Invalid', `the schema has two tables of one name: ${other} and ${key}`, {
        table: name,
        hint: 'give one of them another name in sqliteTable(): SQLite does not tell their case apart',
      })
    }
    names.set(name.toLowerCase(), key)
    if (other === undefined) tables.push(member)
  }
  return tables
}

const OTHER_KINDS = ['Relations', 'SQLiteView', 'SQLiteViewBase', 'View', 'RelationsV2']

/** What a module of tables exports beside them. */
function isOtherMember(member: unknown): boolean {
  if (typeof member === 'function') return true
  let kind = (member as object | null)?.constructor as (object & { [key: symbol]: unknown }) | undefined
  while (typeof kind === 'function' && kind !== Function.prototype) {
    const name = kind[Symbol.for('drizzle:entityKind')]
    if (typeof name === 'string' && OTHER_KINDS.includes(name)) return true
    kind = Object.getPrototypeOf(kind) as typeof kind
  }
  return false
}

/** The statements that make a table. */
export function statementsOf(table: SQLiteTable, dialect: Dialect): TableStatements {
  const config = getTableConfig(table)
  const nameOf = (column: unknown) => dialect.casing?.getColumnCasing(column) ?? (column as Column).name
  const text = (sql: SQL) => dialect.sqlToQuery(sql.inlineParams()).sql
  const keys = config.primaryKeys.map((key) => key.columns.map((column) => quote(nameOf(column))))
  const own = config.columns.filter((column) => column.primary)
  const rowid = own.length === 1 && keys.length === 0 && own[0]!.getSQLType() === 'integer' ? own[0] : undefined

  const columns = config.columns.map((column) => ({
    name: nameOf(column),
    drizzle: column.getSQLType(),
    // Only a column that is declared INTEGER can be the rowid.
    declared: column === rowid ? 'integer' : declaredType(column),
  }))
  const lines = config.columns.map((column, i) => columnLine(column, columns[i]!, column === rowid, text))
  const withPrimary = own.length === 1 && rowid === undefined ? [[quote(nameOf(own[0]))]] : []
  for (const key of [...withPrimary, ...keys]) lines.push(`PRIMARY KEY(${key.join(', ')})`)
  for (const constraint of config.uniqueConstraints) {
    const on = constraint.columns.map((column) => quote(nameOf(column))).join(', ')
    const name = constraint.getName()
    lines.push(`${name === undefined ? '' : `CONSTRAINT ${quote(name)} `}UNIQUE(${on})`)
  }
  for (const key of config.foreignKeys) {
    const { columns: from, foreignColumns, foreignTable } = key.reference()
    const list = (of: readonly unknown[]) => of.map((column) => quote(nameOf(column))).join(', ')
    const actions = (['update', 'delete'] as const).map((when) => {
      const action = when === 'update' ? key.onUpdate : key.onDelete
      return action === undefined ? '' : ` ON ${when.toUpperCase()} ${action.toUpperCase()}`
    })
    lines.push(`FOREIGN KEY(${list(from)}) REFERENCES ${quote(getTableName(foreignTable))}(${list(foreignColumns)})${actions.join('')}`)
  }
  for (const check of config.checks ?? []) lines.push(`CONSTRAINT ${quote(check.name)} CHECK(${text(check.value)})`)

  const indexes = config.indexes.map(({ config: index }) => {
    const on = index.columns.map((part) => (is(part, SQL) ? text(part as SQL) : quote(nameOf(part)))).join(', ')
    const where = index.where === undefined ? '' : ` WHERE ${unqualified(text(index.where), config.name)}`
    return `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${quote(index.name)} ON ${quote(config.name)}(${unqualified(on, config.name)})${where}`
  })
  return { name: config.name, columns, create: `CREATE TABLE ${quote(config.name)} (\n  ${lines.join(',\n  ')}\n)`, indexes }
}

/** An index may not name its table in front of its columns. */
function unqualified(sql: string, table: string): string {
  return sql.replaceAll(`${quote(table)}.`, '')
}

function columnLine(column: SQLiteColumn, names: { name: string; declared: string }, isRowid: boolean, text: (sql: SQL) => string): string {
  const parts = [quote(names.name), names.declared]
  if (isRowid) parts.push((column as { autoIncrement?: boolean }).autoIncrement ? 'PRIMARY KEY AUTOINCREMENT' : 'PRIMARY KEY')
  const { generated } = column as { generated?: { as: unknown; mode?: string } }
  if (generated !== undefined) {
    const as = typeof generated.as === 'function' ? (generated.as as () => unknown)() : generated.as
    parts.push(`GENERATED ALWAYS AS (${is(as, SQL) ? text(as as SQL) : literal(as)}) ${generated.mode === 'stored' ? 'STORED' : 'VIRTUAL'}`)
  } else if (column.default !== undefined && column.default !== null) {
    const value: unknown = column.default
    parts.push(`DEFAULT ${is(value, SQL) ? `(${text(value as SQL)})` : literal(column.mapToDriverValue(value as never))}`)
  }
  if (column.notNull && !isRowid) parts.push('NOT NULL')
  if (column.isUnique) parts.push('UNIQUE')
  return parts.join(' ')
}

/** The type that says what the column means. The store knows the word, and SQLite's affinity lets its values be as they are. */
function declaredType(column: SQLiteColumn): string {
  const { mode } = column as { mode?: string }
  switch (column.columnType) {
    case 'SQLiteTimestamp':
      return mode === 'timestamp_ms' ? 'timestamp_ms' : 'timestamp'
    case 'SQLiteBoolean':
      return 'boolean'
    case 'SQLiteTextJson':
      return 'json'
    default:
      return column.getSQLType()
  }
}

function literal(value: unknown): string {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return String(value)
    case 'boolean':
      return value ? '1' : '0'
    case 'string':
      return `'${value.replaceAll("'", "''")}'`
    default:
      if (value === null || value === undefined) return 'NULL'
      if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`
      throw new RelationalStoreError('Invalid', 'a default that is no number, string, boolean or bytes', { hint: 'write it as sql`…`' })
  }
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
