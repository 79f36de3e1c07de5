// The tiers behind a store: archive, the past, views, eviction.

import { Column, SQL, Table, getTableName, is } from 'drizzle-orm'
import type { SQLWrapper } from 'drizzle-orm'

import type { Job, NativePast } from '../../engine/addon.js'
import { Database } from '../../engine/database.js'
import { RelationalStoreError } from '../../engine/error.js'
import { archived, restored, statusOf, viewed } from '../../engine/reports.js'
import type {
  ArchiveReport,
  EvictReport,
  RawArchiveReport,
  RawRestoreReport,
  RawStatus,
  RawViewReport,
  RestoreReport,
  StoreStatus,
  ViewReport,
} from '../../engine/reports.js'
import type { Dialect } from '../../drizzle/ddl.js'
import { inlined } from '../../drizzle/literal.js'

/** A position of the log, or a time: everything that was committed up to the end of its millisecond. */
export type At = number | Date

export interface RestoreOptions {
  at: At
  /** A folder that is empty or not there: it becomes an installation with the one store. */
  to: string
}

export interface ViewOptions {
  /** The column of the query that says of which date a row is: a timestamp, or text that begins with a date. The view has the date as `dt`. */
  partitionBy: string
}

async function report<T>(database: Database, start: () => Job): Promise<T> {
  database.checkOpen()
  return JSON.parse((await database.workers.do(start, (job) => database.native.takeText(job)))!) as T
}

export async function archive(database: Database): Promise<ArchiveReport> {
  database.refuseInside('run of the archive')
  const raw = await report<RawArchiveReport>(database, () => database.native.archive())
  return { ...archived(raw), lsn: raw.watermarks[database.ns] ?? 0 }
}

export async function status(database: Database): Promise<StoreStatus> {
  return statusOf(await report<RawStatus>(database, () => database.native.status()))
}

export async function restore(database: Database, { at, to }: RestoreOptions): Promise<RestoreReport> {
  database.refuseInside('restore')
  if (typeof to !== 'string' || to === '') {
    throw new RelationalStoreError('Invalid', 'a restore needs the path of a new folder', { hint: "store.restore({ at, to: './before' })" })
  }
  const [lsn, millis] = moment(at)
  return restored(await report<RawRestoreReport>(database, () => database.native.restore(lsn, millis, to)))
}

/** Opens the store as it was. */
export async function pastOf(database: Database, at: At): Promise<Database> {
  database.checkOpen()
  database.refuseInside('look into the past')
  const [lsn, millis] = moment(at)
  const { native, workers, dir, ns } = database
  const past: NativePast = await workers.do(() => native.asOf(lsn, millis), (job) => native.takeRestored(job))
  return new Database(dir, { ns }, { native: past, moment: restored(JSON.parse(past.report()) as RawRestoreReport) })
}

export async function view(
  database: Database,
  dialect: Dialect,
  name: string,
  query: SQLWrapper | string,
  options: ViewOptions,
): Promise<ViewReport> {
  const { partitionBy } = options ?? {}
  if (typeof partitionBy !== 'string' || partitionBy === '') {
    throw new RelationalStoreError('Invalid', 'a view needs to know by which column it is partitioned', { hint: "store.view(name, query, { partitionBy: 'day' })" })
  }
  const fields = fieldsOf(query)
  const dates = fields === undefined ? 'text' : datesOf(fields, partitionBy)
  const text = typeof query === 'string' ? query : inlined(query, dialect)
  const columns = fields === undefined ? [] : Object.keys(fields)
  return viewed(await report<RawViewReport>(database, () => database.native.view(String(name), text, columns, partitionBy, dates)))
}

export async function evict(database: Database, dialect: Dialect, table: string | Table, where: SQL | string): Promise<EvictReport> {
  const name = is(table, Table) ? getTableName(table) : String(table)
  if (typeof where !== 'string' && !is(where, SQL)) {
    throw new RelationalStoreError('Invalid', 'an eviction needs a condition', { table: name, hint: "store.evict(orders, eq(orders.status, 'done'))" })
  }
  const condition = typeof where === 'string' ? where : inlined(where, dialect)
  // What takes long is done before other writes have to wait.
  await archive(database)
  return database.exclusively(() => report<EvictReport>(database, () => database.native.evict(name, condition)))
}

function moment(at: unknown): [lsn: number | null, millis: number | null] {
  if (typeof at === 'number' && Number.isSafeInteger(at) && at >= 0) return [at, null]
  if (at instanceof Date && !Number.isNaN(at.getTime())) return [null, at.getTime()]
  throw new RelationalStoreError('Invalid', 'a moment is a position of the log or a Date', {
    context: [['at', String(at)]],
    hint: 'give the lsn of an event, or of the store, or a Date',
  })
}

/** What a select of Drizzle gives by name; nothing of SQL, whose columns have names of their own. */
function fieldsOf(query: unknown): Record<string, unknown> | undefined {
  if (typeof query === 'string' || is(query, SQL)) return undefined
  // As all generations have it, joined tables included.
  const fields = (query as { config?: { fields?: Record<string, unknown> } } | null)?.config?.fields
  if (fields === undefined) {
    throw new RelationalStoreError('Invalid', 'a view is of a select or of SQL', { hint: 'give store.select({ … }).from(table), or sql`SELECT …`' })
  }
  for (const [key, field] of Object.entries(fields)) {
    if (is(field, Column) || is(field, SQL) || is(field, SQL.Aliased)) continue
    throw new RelationalStoreError('Invalid', `a view has columns, and the select's ${key} is none`, {
      context: [['column', key]],
      hint: 'select the columns by name: store.select({ id: orders.id, who: users.name })',
    })
  }
  return fields
}

/** How the column that a view is partitioned by holds its dates. */
function datesOf(fields: Record<string, unknown>, name: string): string {
  const field = fields[name]
  // The addon says that there is no such column.
  if (!is(field, Column)) return 'text'
  const { mode } = field as unknown as { mode?: unknown }
  if (mode === 'timestamp' || mode === 'timestamp_ms') return mode
  if (field.getSQLType().startsWith('text')) return 'text'
  throw new RelationalStoreError('Invalid', 'a view is partitioned by a date, and the column is none', {
    context: [['column', name]],
    hint: 'name a timestamp, or select the date: sql`date(…)`',
  })
}
