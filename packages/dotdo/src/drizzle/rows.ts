// Rows as Drizzle's selections want them: nested by path, decoded by their columns, null where a joined table has no row.
//
// The function is generated from the selection, and says what drizzle-orm's mapResultRow does.

import { Column, SQL, getTableName, is } from 'drizzle-orm'

import { generated } from '../engine/cells.js'
import type { Decoder } from '../engine/cells.js'

/** One selected field: where it goes, and what it is. */
export interface SelectedField {
  path: string[]
  field: unknown
}

export type NotNullable = Record<string, boolean> | undefined

interface FieldDecoder {
  mapFromDriverValue(value: unknown): unknown
}

interface Node {
  members: Map<string, Node | Leaf>
}

interface Leaf {
  column: number
  expression: string
  field: unknown
}

const asItIs: unknown = (Column.prototype as unknown as FieldDecoder).mapFromDriverValue

/** The decoder of a field, or nothing if its value is as the store gives it. */
function decoderOf(field: unknown): FieldDecoder | undefined {
  const decoder = is(field, Column) ? (field as unknown as FieldDecoder) : decoderOfSql(field)
  const isPlain = decoder.mapFromDriverValue === asItIs || isIdentity(decoder)
  return isPlain ? undefined : decoder
}

function decoderOfSql(field: unknown): FieldDecoder {
  if (is(field, SQL)) return (field as unknown as { decoder: FieldDecoder }).decoder
  // An aliased expression, or a subquery.
  const inner = field as { sql?: { decoder: FieldDecoder }; _?: { sql: { decoder: FieldDecoder } } }
  return inner.sql?.decoder ?? inner._!.sql.decoder
}

let noopDecoder: FieldDecoder | undefined

/** What `sql` without `mapWith` has. */
function isIdentity(decoder: FieldDecoder): boolean {
  noopDecoder ??= (new SQL([]) as unknown as { decoder: FieldDecoder }).decoder
  return decoder === noopDecoder
}

/** The decoder of rows with these fields. */
export function rowDecoder(fields: readonly SelectedField[], notNullable: NotNullable): Decoder {
  const decoders: (FieldDecoder | undefined)[] = []
  const root: Node = { members: new Map() }
  for (const [column, { path, field }] of fields.entries()) {
    const decoder = decoderOf(field)
    decoders.push(decoder)
    const expression = decoder === undefined ? `v${column}` : `(v${column}===null?null:k.list[${column}].mapFromDriverValue(v${column}))`
    let node = root
    for (const part of path.slice(0, -1)) {
      const known = node.members.get(part)
      if (known !== undefined && 'members' in known) node = known
      else {
        const inner: Node = { members: new Map() }
        node.members.set(part, inner)
        node = inner
      }
    }
    node.members.set(path[path.length - 1]!, { column, expression, field })
  }
  return generated(fields.length, literal(root, fields, notNullable), decoders)
}

function literal(root: Node, fields: readonly SelectedField[], notNullable: NotNullable): string {
  const members = [...root.members].map(([name, member]) => {
    if (!('members' in member)) return `[${JSON.stringify(name)}]:${member.expression}`
    const object = objectLiteral(member)
    const first = notNullable === undefined ? undefined : decisive(name, fields, notNullable)
    return `[${JSON.stringify(name)}]:${first === undefined ? object : `(${first}===null?null:${object})`}`
  })
  return `{${members.join(',')}}`
}

function objectLiteral(node: Node): string {
  const members = [...node.members].map(
    ([name, member]) => `[${JSON.stringify(name)}]:${'members' in member ? objectLiteral(member) : member.expression}`,
  )
  return `{${members.join(',')}}`
}

/** The first column of an object whose columns are all of one joined table: the object is null where that column is. */
function decisive(name: string, fields: readonly SelectedField[], notNullable: Record<string, boolean>): string | undefined {
  const columns = fields
    .map(({ path, field }, column) => ({ path, field, column }))
    .filter(({ path, field }) => path.length === 2 && path[0] === name && is(field, Column))
  const first = columns[0]
  if (first === undefined) return undefined
  const tables = new Set(columns.map(({ field }) => getTableName((field as Column).table)))
  const [table] = tables
  if (tables.size !== 1 || notNullable[table!]) return undefined
  const decoder = decoderOf(first.field)
  // A decoder of the user's own may make null of a value.
  return decoder === undefined ? `v${first.column}` : `(v${first.column}===null?null:k.list[${first.column}].mapFromDriverValue(v${first.column}))`
}

interface Known {
  fields: readonly SelectedField[]
  notNullable: string
  decoder: Decoder
}

const known = new Map<string, Known>()
const KNOWN_MAX = 1000

/** As `rowDecoder`, kept by the statement's text: a query that is built for each call is decoded by the same function each time. */
export function rowDecoderFor(sql: string, fields: readonly SelectedField[], notNullable: NotNullable): Decoder {
  const key = notNullable === undefined ? '' : JSON.stringify(notNullable)
  const found = known.get(sql)
  if (found !== undefined && found.notNullable === key && areSame(found.fields, fields)) return found.decoder
  const decoder = rowDecoder(fields, notNullable)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(sql, { fields, notNullable: key, decoder })
  return decoder
}

function areSame(a: readonly SelectedField[], b: readonly SelectedField[]): boolean {
  return a.length === b.length && a.every((left, i) => isSame(left, b[i]!))
}

function isSame(a: SelectedField, b: SelectedField): boolean {
  if (a.path.length !== b.path.length || a.path.some((part, i) => part !== b.path[i])) return false
  if (a.field === b.field) return true
  // Expressions are made anew for each call; as long as nothing decodes them, one is as good as another.
  return !is(a.field, Column) && !is(b.field, Column) && decoderOf(a.field) === undefined && decoderOf(b.field) === undefined
}
