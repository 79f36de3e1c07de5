// The store: Drizzle on a database, its events, its shape and its migrations.

import { SQL, Table, entityKind, getTableName, is, sql } from 'drizzle-orm'
import type { SQLWrapper } from 'drizzle-orm'

import { branded } from '../../engine/brand.js'
import { Database, OBJECTS } from '../../engine/database.js'
import type { Executor } from '../../engine/database.js'
import { RelationalStoreError } from '../../engine/error.js'
import { changes, unhandled } from '../../engine/feed.js'
import type { ChangesOptions, Commit, FollowOptions, UnifiedEvent } from '../../engine/feed.js'
import { rowsOf } from '../../engine/rows.js'
import type { IterateOptions } from '../../engine/rows.js'
import { tableOf } from '../../engine/shape.js'
import type { TableShape } from '../../engine/shape.js'
import type { ArchiveReport, EvictReport, RestoreReport, StoreStatus, ViewReport } from '../../engine/reports.js'
import type { Dialect } from '../../drizzle/ddl.js'
import { isV1 } from '../../drizzle/generation.js'
import type { DrizzleConfig, Generation } from '../../drizzle/generation.js'
import { ensureTables, statements } from '../../drizzle/tables.js'
import type { DrizzleOf, MigrationDatabase, Readable, RowOf } from '../../drizzle/types.js'
import { v0 } from '../../drizzle/v0.js'
import { v1 } from '../../drizzle/v1.js'
import { checkVersion, isSupported } from '../../drizzle/version.js'
import { appliedMigrations, runMigration } from './migration.js'
import type { AppliedMigration } from './migration.js'
import * as tiers from './tiers.js'
import type { At, RestoreOptions, ViewOptions } from './tiers.js'

// A Drizzle that is not supported may lack what its classes extend: the constructor says so before anything is made.
const generation = (!isSupported() ? { Base: Object } : isV1 ? v1() : v0()) as Generation
const Base = generation.Base as new (...args: unknown[]) => object

/** A migration of the program's own. */
export interface InlineMigration {
  /** Its version, from 1. Versions rise, and need not follow on one another. */
  version: number
  /** What it does. */
  up: (db: MigrationDatabase) => Promise<unknown> | unknown
  /** What takes it back. */
  down?: (db: MigrationDatabase) => Promise<unknown> | unknown
}

/** A column, as the store has it now. */
export interface ColumnInfo {
  name: string
  /** Its type as it is declared. */
  type: string
  /** What its cells mean: `timestamp`, `boolean`, `json` and so on. */
  logicalType: string
  nullable: boolean
  /** Its default as it is written in SQL. */
  default: string | null
  primaryKey: boolean
}

export interface ReferenceInfo {
  column: string
  references: { table: string; column: string }
}

export interface ConstraintInfo {
  /** The columns of the primary key, in order. */
  primaryKey: string[]
  /** The columns of each unique key, in order. */
  unique: string[][]
  notNull: string[]
}

/** What goes wrong in a handler, and at which event. */
export type EventErrorHandler = (error: unknown, event: UnifiedEvent) => void

export interface EventOptions extends FollowOptions {
  /** Is told what the handler threw. Without it that is an unhandled rejection. */
  onError?: EventErrorHandler
}

/** What a store has beside what Drizzle has. */
class Store<TSchema extends Record<string, unknown>, TRelations> extends Base {
  static readonly [entityKind]: string = 'RelationalStore'
  /** The tables that it was made with. */
  readonly schema: TSchema
  /** The database below. */
  readonly $client: Database
  readonly #config: DrizzleConfig
  readonly #migrations = new Map<number, InlineMigration>()

  /**
   * Drizzle on `db`. Tables of `schema` that the database lacks are made; those that are there must be as the schema has them, but may have
   * columns more.
   */
  constructor(db: Database, schema: TSchema, config: DrizzleConfig = {}) {
    checkVersion()
    if (!(db instanceof Database)) {
      throw new RelationalStoreError('Invalid', 'RelationalStore takes a database that open() gave', { hint: "const db = open('./data', { ns: 'acme' })" })
    }
    if (typeof schema !== 'object' || schema === null) {
      throw new RelationalStoreError('Invalid', 'RelationalStore takes an object of tables', { hint: 'new RelationalStore(db, { users, orders })' })
    }
    db.checkOpen()
    const logger = config.logger === true ? consoleLogger : config.logger === false ? undefined : config.logger
    const connected = generation.connect(db, schema, config, { logger, cache: config.cache })
    super(...connected)
    this.schema = schema
    this.$client = db
    this.#config = config
    // A store of the past has the tables that it had then.
    if (!db.isReadOnly) ensureTables(db, statements(schema, this.#dialect))
    const cache = config.cache as { onMutate: (params: unknown) => unknown } | undefined
    const { $cache } = this as unknown as { $cache: { invalidate: (params: unknown) => unknown } | undefined }
    if (cache !== undefined && $cache !== undefined) $cache.invalidate = (params) => cache.onMutate(params)
  }

  /** Drizzle on this store, whose queries `signal` stops; they are rejected with its reason. */
  withSignal(signal: AbortSignal): DrizzleOf<TSchema, TRelations> {
    return this.#on({ database: this.$client, execute: (text, params, shape) => this.$client.execute(text, params, shape, signal) }) as DrizzleOf<
      TSchema,
      TRelations
    >
  }

  /** Runs any statement and gives its rows as objects. */
  async execute<T = Record<string, unknown>>(query: string | SQLWrapper): Promise<T[]> {
    const { sql: text, params } = this.#dialect.sqlToQuery(typeof query === 'string' ? sql.raw(query) : query.getSQL())
    return (await this.$client.execute(text, params, OBJECTS)).rows as T[]
  }

  /**
   * The rows of a query, one after another, for `for await`: of a select, a prepared query or `` sql`…` ``, whose rows are objects. However many
   * they are, memory stays as it is. They are those of one state of the store, the last when the loop begins; the write-ahead log is kept
   * until it ends.
   */
  iterate<Q extends Readable>(query: Q, options: IterateOptions & { placeholders?: Record<string, unknown> } = {}): AsyncGenerator<RowOf<Q>, void, undefined> {
    const { dialect, session } = this as unknown as { dialect: Dialect; session: unknown }
    const { placeholders = {}, signal } = options
    if (is(query, SQL)) {
      const { sql: text, params } = dialect.sqlToQuery(query)
      return rowsOf(this.$client, { sql: text, params, shape: OBJECTS }, signal) as AsyncGenerator<RowOf<Q>, void, undefined>
    }
    const reading = generation.reading(session, query, placeholders)
    if (reading === undefined) {
      throw new RelationalStoreError('Invalid', 'iterate takes a query that was built on a store, or sql`…`', { hint: 'store.iterate(store.select().from(users))' })
    }
    return rowsOf(this.$client, reading, signal) as AsyncGenerator<RowOf<Q>, void, undefined>
  }

  /** Runs queries that were built on this store in one transaction, in order, and gives what each gives. */
  async batch<T extends readonly PromiseLike<unknown>[]>(queries: readonly [...T]): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
    const { session } = this as unknown as { session: unknown }
    const results = await this.$client.transaction(async (transaction) => {
      const out: unknown[] = []
      for (const query of queries) out.push(await generation.runIn(transaction, session, query))
      return out
    })
    return results as { -readonly [K in keyof T]: Awaited<T[K]> }
  }

  /**
   * Calls `handler` with each event from now on: after the commit, in order, the next when the last is handled. What it throws undoes nothing,
   * and the next event comes all the same. Gives what ends it.
   */
  onCDCEvent(handler: (event: UnifiedEvent) => Promise<void> | void, options: EventOptions = {}): () => void {
    if (typeof handler !== 'function') throw new RelationalStoreError('Invalid', 'onCDCEvent takes a function')
    const { onError = unhandled } = options
    const subscription = this.$client.follow(this.$client.feed(options), true, async ({ events }) => {
      for (const event of events) {
        // The handler may have ended it.
        if (subscription.isEnded) return
        try {
          await handler(event)
        } catch (error) {
          onError(error, event)
        }
      }
    })
    // There may be something already, where it begins earlier.
    subscription.wake()
    return () => subscription.stop()
  }

  /** The commits, for `for await`: from now on, after a position, or from a cursor that the store keeps. It ends when the store is closed. */
  changes(options: ChangesOptions = {}): AsyncGenerator<Commit, void, undefined> {
    return changes(this.$client, options)
  }

  /** The columns of a table, in order, as they are now. */
  async getColumns(table: string | Table): Promise<ColumnInfo[]> {
    const { columns, primaryKey } = this.#table(table)
    return columns.map((column) => ({
      name: column.name,
      type: column.declared,
      logicalType: column.logical,
      nullable: !column.notNull,
      default: column.default,
      primaryKey: primaryKey.includes(column.name),
    }))
  }

  /** What a table's columns refer to. */
  async getReferences(table: string | Table): Promise<ReferenceInfo[]> {
    const shape = this.$client.shape()
    return this.#table(table).foreignKeys.flatMap((key) => {
      // Without columns of its own it refers to the parent's key.
      const parents = key.parentColumns.length > 0 ? key.parentColumns : (tableOf(shape, key.parent)?.primaryKey ?? [])
      return key.columns.map((column, i) => ({ column, references: { table: key.parent, column: parents[i] ?? 'rowid' } }))
    })
  }

  /** What a table's rows must keep to. */
  async getConstraints(table: string | Table): Promise<ConstraintInfo> {
    const { columns, primaryKey, unique } = this.#table(table)
    const isKey = (names: readonly (string | null)[]) => names.length === primaryKey.length && names.every((name, i) => name === primaryKey[i])
    const whole = unique.filter((key) => !key.partial && !key.columns.includes(null) && !isKey(key.columns))
    return {
      primaryKey,
      unique: whole.map((key) => key.columns as string[]),
      notNull: columns.filter((column) => column.notNull).map((column) => column.name),
    }
  }

  #table(table: string | Table): TableShape {
    const name = is(table, Table) ? getTableName(table) : table
    const shape = this.$client.shape()
    const found = typeof name === 'string' ? tableOf(shape, name) : undefined
    if (found !== undefined) return found
    throw new RelationalStoreError('NotFound', 'no such table', {
      table: String(name),
      context: [['table', String(name)]],
      hint: shape.tables.length === 0 ? 'the store has no tables' : `the store has ${shape.tables.map((t) => t.name).join(', ')}`,
    })
  }

  /** Applies a migration of the program's own, wholly or not at all; nothing is done if it is the current version already. */
  async migrate(migration: InlineMigration): Promise<void> {
    this.#check(migration)
    await runMigration(this.$client, migration.version, false, async (executor) => {
      await migration.up(this.#on(executor))
    })
    this.#migrations.set(migration.version, migration)
  }

  /** Takes a migration back by its `down`: it must be the current one, and this store's `migrate` must have been given it. */
  async rollback(version: number): Promise<void> {
    const migration = this.#migrations.get(version)
    if (migration?.down === undefined) {
      throw new RelationalStoreError('NotFound', migration === undefined ? 'the migration is not known' : 'the migration has no down', {
        context: [['version', String(version)]],
        hint: migration === undefined ? 'give it to store.migrate first: one that is applied is not applied again' : 'give it a down',
      })
    }
    const { down } = migration
    await runMigration(this.$client, version, true, async (executor) => {
      await down(this.#on(executor))
    })
    this.#migrations.delete(version)
  }

  /** The migrations that are in force, in the order in which they were applied. */
  async getMigrationHistory(): Promise<AppliedMigration[]> {
    return appliedMigrations(this.$client)
  }

  /** Brings the store's history up to its last commit: what `asOf`, `restore` and `fleet.query` read. */
  archive(): Promise<ArchiveReport> {
    return tiers.archive(this.$client)
  }

  /** What the store is now: rows, sizes, and how far it is shipped and archived. */
  status(): Promise<StoreStatus> {
    return tiers.status(this.$client)
  }

  /**
   * The store as it was after the commit at a position, or at a time: to be read by the same tables, and closed, which takes the copy away that it is. What
   * was not archived is archived first.
   */
  async asOf(at: At): Promise<RelationalStore<TSchema, TRelations>> {
    const past = await tiers.pastOf(this.$client, at)
    return new Store<TSchema, TRelations>(past, this.schema, this.#config) as unknown as RelationalStore<TSchema, TRelations>
  }

  /** Makes of an empty folder an installation with this store as it was. What was not archived is archived first. */
  restore(options: RestoreOptions): Promise<RestoreReport> {
    return tiers.restore(this.$client, options)
  }

  /**
   * Keeps what a query gives in every store of the folder as a view, which `fleet.query` reads by its name; or brings it up to what they are now. Its
   * columns are those of the query, the date `dt`, and the store in `_ns`.
   */
  view(name: string, query: SQLWrapper | string, options: ViewOptions): Promise<ViewReport> {
    return tiers.view(this.$client, this.#dialect, name, query, options)
  }

  /** Moves the rows of a table for which a condition is true out of the hot file. No statement answers otherwise for it. */
  evict(table: string | Table, where: SQL | string): Promise<EvictReport> {
    return tiers.evict(this.$client, this.#dialect, table, where)
  }

  /** Closes the database below. */
  close(): Promise<void> {
    return this.$client.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #dialect(): Dialect {
    return (this as unknown as { dialect: Dialect }).dialect
  }

  #on(executor: Executor): MigrationDatabase {
    return generation.on(this as unknown as { dialect: unknown; session: unknown }, executor) as MigrationDatabase
  }

  #check(migration: InlineMigration): void {
    if (!Number.isSafeInteger(migration?.version) || migration.version < 1) {
      throw new RelationalStoreError('Invalid', "a migration's version is a whole number from 1", { context: [['version', String(migration?.version)]] })
    }
    if (typeof migration.up !== 'function') throw new RelationalStoreError('Invalid', 'a migration has a function up')
  }
}

branded('RelationalStore', Store)

/** A typed store: all of Drizzle, on one database. `TRelations` is what `defineRelations` of Drizzle 1.0 gave. */
export type RelationalStore<TSchema extends Record<string, unknown> = Record<string, never>, TRelations = {}> = DrizzleOf<TSchema, TRelations> &
  Pick<Store<TSchema, TRelations>, keyof Store<TSchema, TRelations>>

/** How a store is made. */
export interface RelationalStoreConstructor {
  /**
   * Drizzle on `db`. Tables of `schema` that the database lacks are made; those that are there must be as the schema has them, but may have
   * columns more.
   */
  new <TSchema extends Record<string, unknown>, TRelations = {}>(
    db: Database,
    schema: TSchema,
    config?: DrizzleConfig<TRelations>,
  ): RelationalStore<TSchema, TRelations>
  readonly prototype: RelationalStore<any, any>
}

export const RelationalStore = Store as unknown as RelationalStoreConstructor

const consoleLogger = {
  logQuery(text: string, params: unknown[]): void {
    console.log(`Query: ${text}${params.length === 0 ? '' : ` -- params: ${JSON.stringify(params, (_, v) => (typeof v === 'bigint' ? `${v}` : v))}`}`)
  },
}
