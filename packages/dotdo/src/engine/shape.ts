// The shape of a store, or of `CREATE` statements.

import { shapeOf as nativeShapeOf } from './addon.js'
import { crossing } from './error.js'

export interface ColumnShape {
  name: string
  /** The type as it is declared. */
  declared: string
  /** What its cells mean: `integer`, `real`, `text`, `blob`, `boolean`, `timestamp`, `timestamp_ms`, `json` or `any`. */
  logical: string
  notNull: boolean
  /** The default as it is written. */
  default: string | null
  generated: 'virtual' | 'stored' | null
}

export interface ForeignKeyShape {
  columns: string[]
  parent: string
  /** Empty: its primary key. */
  parentColumns: string[]
  onUpdate: string
  onDelete: string
}

export interface TableShape {
  name: string
  columns: ColumnShape[]
  primaryKey: string[]
  /** What no two rows have the same of; null stands for an expression. */
  unique: { columns: (string | null)[]; partial: boolean }[]
  foreignKeys: ForeignKeyShape[]
  checks: number
  sql: string
}

export interface Shape {
  version: number
  tables: TableShape[]
  views: string[]
}

export function parseShape(json: string): Shape {
  return JSON.parse(json) as Shape
}

/** The shape that `CREATE` statements make. */
export function shapeOf(sql: string): Shape {
  return parseShape(crossing(() => nativeShapeOf(sql), sql))
}

/** The table of this name, whatever its case, as SQLite has it. */
export function tableOf(shape: Shape, name: string): TableShape | undefined {
  return shape.tables.find((table) => table.name.toLowerCase() === name.toLowerCase())
}
