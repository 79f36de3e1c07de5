// Drizzle 0.30 to 0.45: a session of our own.

import * as root from 'drizzle-orm'
import type { Query, SQL, TablesRelationalConfig } from 'drizzle-orm'
import * as core from 'drizzle-orm/sqlite-core'

import { MigrationExecutor, OBJECTS } from '../engine/database.js'
import type { Answered, Database, Executor, RowShape } from '../engine/database.js'
import { arrays } from '../engine/cells.js'
import type { Reading } from '../engine/rows.js'
import { Transaction } from '../engine/transaction.js'
import { explaining } from './encoding.js'
import { execute, filler, firstOf, noTransaction, preparedOf, promised, ran, rawOf, rowsOf } from './generation.js'
import type { DrizzleConfig, Generation, SessionOptions } from './generation.js'
import { rowDecoderFor } from './rows.js'
import type { NotNullable, SelectedField } from './rows.js'

type Method = 'run' | 'all' | 'get'
type Mapper = (rows: unknown[][], mapColumnValue?: (value: unknown) => unknown) => unknown
type Placeholders = Record<string, unknown> | undefined
type Callback = (tx: unknown) => unknown

interface Schema {
  fullSchema: Record<string, unknown>
  schema: TablesRelationalConfig
  tableNamesMap: Record<string, string>
}

/** Classes that extend what only this generation has are made where it is there. */
export function v0(): Generation {
  const { entityKind } = root
  const AnyPrepared = core.SQLitePreparedQuery as unknown as new (...args: unknown[]) => {
    queryWithCache?(sql: string, params: unknown[], query: () => Promise<unknown>): Promise<unknown>
  }
  const AnySession = core.SQLiteSession as unknown as new (dialect: unknown) => object
  const AnyTransaction = core.SQLiteTransaction as unknown as new (...args: unknown[]) => object

  class Prepared extends AnyPrepared {
    static readonly [entityKind] = 'RelationalStorePreparedQuery'
    /** Set by the builder of a select, after construction. */
    joinsNotNullableMap: NotNullable
    readonly #fill: ReturnType<typeof filler>
    #shape: RowShape | undefined

    constructor(
      readonly session: Session,
      readonly statement: Query,
      readonly fields: SelectedField[] | undefined,
      readonly method: Method,
      readonly isArrayMode: boolean,
      readonly mapper: Mapper | undefined,
      metadata: unknown,
      cacheConfig: unknown,
    ) {
      super('async', method, statement, session.options.cache, metadata, cacheConfig)
      this.#fill = filler(statement.params)
    }

    /** How its rows are put together. */
    #shapeOfRows(): RowShape {
      if (this.mapper !== undefined) return (this.#shape = arrays)
      return (this.#shape = this.fields === undefined ? OBJECTS : rowDecoderFor(this.statement.sql, this.fields, this.joinsNotNullableMap))
    }

    #params(placeholders: Placeholders): unknown[] {
      return this.#fill === undefined ? this.statement.params : this.#fill(placeholders ?? {})
    }

    #execute(executor: Executor, placeholders: Placeholders, shape: RowShape): Answered | Promise<Answered> {
      const params = this.#params(placeholders)
      const { options } = this.session
      if (options.cache === undefined || this.queryWithCache === undefined) return execute(executor, options, this.statement.sql, params, shape)
      const query = async () => execute(executor, options, this.statement.sql, params, shape)
      return this.queryWithCache(this.statement.sql, params, query) as Promise<Answered>
    }

    run(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      return promised(() => this.#execute(executor, placeholders, arrays), ran)
    }

    all(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      const { mapper } = this
      const run = () => this.#execute(executor, placeholders, this.#shape ?? this.#shapeOfRows())
      return promised(run, mapper === undefined ? rowsOf : ({ rows }) => mapper(rows as unknown[][], asItIs))
    }

    get(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      const { mapper } = this
      const run = () => this.#execute(executor, placeholders, this.#shape ?? this.#shapeOfRows())
      return promised(run, mapper === undefined ? firstOf : ({ rows }) => (rows.length === 0 ? undefined : mapper(rows as unknown[][], asItIs)))
    }

    values(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      return promised(() => this.#execute(executor, placeholders, arrays), rowsOf)
    }

    reading(placeholders: Placeholders): Reading {
      const mapper = this.mapper === undefined ? undefined : (rows: unknown[]) => this.mapper!(rows as unknown[][], asItIs)
      return { sql: this.statement.sql, params: this.#params(placeholders), shape: this.#shape ?? this.#shapeOfRows(), map: mapper }
    }

    in(executor: Executor): Promise<unknown> {
      return this[this.method](undefined, executor)
    }

    mapAllResult(result: unknown): unknown {
      return result
    }

    mapGetResult(result: unknown): unknown {
      return result
    }

    isResponseInArrayMode(): boolean {
      return this.isArrayMode
    }
  }

  class Session extends AnySession {
    static readonly [entityKind] = 'RelationalStoreSession'

    constructor(
      readonly dialect: core.SQLiteAsyncDialect,
      readonly executor: Executor,
      readonly schema: Schema | undefined,
      readonly options: SessionOptions,
    ) {
      super(dialect)
    }

    prepareQuery(
      query: Query,
      fields: SelectedField[] | undefined,
      method: Method,
      isArrayMode: boolean,
      mapper?: Mapper,
      metadata?: unknown,
      cacheConfig?: unknown,
    ): Prepared {
      return new Prepared(this, query, fields, method, isArrayMode, mapper, metadata, cacheConfig)
    }

    // Drizzle's own wraps what goes wrong at once, and would lose the error's code.
    run(query: SQL): Promise<unknown> {
      return this.prepareQuery(this.dialect.sqlToQuery(query), undefined, 'run', false).run()
    }

    /** The same on another place to run statements. */
    on(executor: Executor): Session {
      return new Session(this.dialect, executor, this.schema, this.options)
    }

    transaction(callback: Callback): Promise<unknown> {
      return nested(this, callback, 0)
    }

    extractRawRunValueFromBatchResult = asItIs
    extractRawAllValueFromBatchResult = asItIs
    extractRawGetValueFromBatchResult = asItIs
    extractRawValuesValueFromBatchResult = asItIs
  }

  class StoreTransaction extends AnyTransaction {
    static readonly [entityKind] = 'RelationalStoreTransaction'

    constructor(
      readonly storeSession: Session,
      readonly depth: number,
    ) {
      super('async', storeSession.dialect, storeSession, storeSession.schema, depth)
    }

    transaction(callback: Callback): Promise<unknown> {
      return nested(this.storeSession, callback, this.depth + 1)
    }
  }

  function nested(session: Session, callback: Callback, depth: number): Promise<unknown> {
    const { executor } = session
    const body = async (transaction: Transaction) => callback(new StoreTransaction(session.on(transaction), depth))
    if (executor instanceof Transaction) return executor.transaction(body)
    if (executor instanceof MigrationExecutor) return Promise.reject(noTransaction())
    return executor.database.transaction(body)
  }

  return {
    Base: core.BaseSQLiteDatabase,

    connect(executor: Database, given: Record<string, unknown>, config: DrizzleConfig, options: SessionOptions): unknown[] {
      const Dialect = core.SQLiteAsyncDialect as unknown as new (config: { casing: unknown }) => core.SQLiteAsyncDialect
      const dialect = explaining(new Dialect({ casing: config.casing }))
      const tables = root.extractTablesRelationalConfig(given, root.createTableRelationsHelpers)
      const schema: Schema = { fullSchema: given, schema: tables.tables as TablesRelationalConfig, tableNamesMap: tables.tableNamesMap }
      return ['async', dialect, new Session(dialect, executor, schema, options), schema]
    },

    on(store: { session: unknown }, executor: Executor): unknown {
      const session = (store.session as Session).on(executor)
      const Base = core.BaseSQLiteDatabase as unknown as new (...args: unknown[]) => unknown
      return new Base('async', session.dialect, session, session.schema)
    },

    reading(given: unknown, query: unknown, placeholders: Record<string, unknown>): Reading | undefined {
      const prepared = preparedOf(query)
      if (prepared instanceof Prepared) return prepared.reading(placeholders)
      const raw = rawOf(prepared)
      return raw && (given as Session).prepareQuery(raw, undefined, 'all', false).reading(placeholders)
    },

    async runIn(executor: Executor, given: unknown, query: unknown): Promise<unknown> {
      const prepared = (query as { _prepare(): unknown })._prepare()
      if (prepared instanceof Prepared) return prepared.in(executor)
      // A raw statement prepares to itself.
      const raw = query as { getQuery(): Query & { method: Method | 'values' } }
      const { sql, params, method } = raw.getQuery()
      const statement = (given as Session).prepareQuery({ sql, params }, undefined, method === 'values' ? 'all' : method, false)
      return statement[method](undefined, executor)
    },
  }
}

function asItIs<T>(value: T): T {
  return value
}
