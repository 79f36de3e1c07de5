// Drizzle 1.0: mappers are handed in, and relations are values of their own.

import * as root from 'drizzle-orm'
import type { Query } from 'drizzle-orm'
import * as drizzle from 'drizzle-orm/sqlite-core'

import { arrays } from '../engine/cells.js'
import { MigrationExecutor, OBJECTS } from '../engine/database.js'
import type { Answered, Executor, RowShape } from '../engine/database.js'
import type { Reading } from '../engine/rows.js'
import { Transaction } from '../engine/transaction.js'
import { explaining } from './encoding.js'
import { execute, filler, firstOf, noTransaction, preparedOf, promised, ran, rawOf, rowsOf } from './generation.js'
import type { DrizzleConfig, Generation, SessionOptions } from './generation.js'

type Mode = 'arrays' | 'objects' | 'raw'
type Method = 'run' | 'all' | 'get' | 'values'
type RowsMapper = (rows: unknown[]) => unknown[]
type Placeholders = Record<string, unknown> | undefined
type Callback = (tx: unknown) => unknown
type AnyClass<T = object> = new (...args: unknown[]) => T

/** What this generation has, and the one that the types are of has not. */
interface Core {
  SQLiteAsyncDatabase: AnyClass
  SQLiteAsyncPreparedQuery: AnyClass<{
    queryWithCache(sql: string, params: unknown[], method: string, query: () => Promise<unknown>): Promise<unknown>
  }>
  SQLiteAsyncSession: AnyClass
  SQLiteAsyncTransaction: AnyClass
  SQLiteDialect: AnyClass
  refineSqliteCodecs(codecs: object): unknown
  castToText: unknown
  booleanFromInteger: unknown
  dateFromStoredSeconds: unknown
  dateFromStoredMilliseconds: unknown
}

/** Classes that extend what only this generation has are made where it is there. */
export function v1(): Generation {
  const core = drizzle as unknown as Core
  const { entityKind } = root
  const silent = { logQuery(): void {} }

  class Prepared extends core.SQLiteAsyncPreparedQuery {
    static readonly [entityKind] = 'RelationalStorePreparedQuery'
    readonly #sql: string
    readonly #shape: RowShape
    readonly #fill: ReturnType<typeof filler>

    constructor(
      readonly session: Session,
      readonly statement: Query & { _sql?: string[] },
      readonly rowMode: Mode,
      readonly method: Method,
      readonly rowsMapper: RowsMapper | undefined,
      metadata: unknown,
      cacheConfig: unknown,
    ) {
      super('async', method, {}, statement, rowsMapper, rowMode, silent, session.options.cache, metadata, cacheConfig, false)
      this.#sql = statement._sql === undefined ? statement.sql : statement._sql.join(' ')
      this.#shape = rowMode === 'arrays' ? arrays : OBJECTS
      this.#fill = filler(statement.params)
    }

    #params(placeholders: Placeholders): unknown[] {
      return this.#fill === undefined ? this.statement.params : this.#fill(placeholders ?? {})
    }

    #execute(executor: Executor, method: Method, placeholders: Placeholders, shape: RowShape): Answered | Promise<Answered> {
      const params = this.#params(placeholders)
      const { options } = this.session
      if (options.cache === undefined) return execute(executor, options, this.#sql, params, shape)
      const query = async () => execute(executor, options, this.#sql, params, shape)
      return this.queryWithCache(this.#sql, params, method, query) as Promise<Answered>
    }

    run(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      return promised(() => this.#execute(executor, 'run', placeholders, arrays), ran)
    }

    all(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      const { rowsMapper } = this
      const run = () => this.#execute(executor, 'all', placeholders, this.#shape)
      return promised(run, rowsMapper === undefined ? rowsOf : ({ rows }) => rowsMapper(rows))
    }

    get(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      const { rowsMapper } = this
      const run = () => this.#execute(executor, 'get', placeholders, this.#shape)
      const mapped = ({ rows }: Answered) => (rows.length === 0 ? undefined : rowsMapper!(rows.slice(0, 1))[0])
      return promised(run, rowsMapper === undefined ? firstOf : mapped)
    }

    values(placeholders?: Placeholders, executor: Executor = this.session.executor): Promise<unknown> {
      return promised(() => this.#execute(executor, 'values', placeholders, arrays), rowsOf)
    }

    reading(placeholders: Placeholders): Reading {
      return { sql: this.#sql, params: this.#params(placeholders), shape: this.#shape, map: this.rowsMapper }
    }

    in(executor: Executor): Promise<unknown> {
      return this[this.method](undefined, executor)
    }
  }

  class Session extends core.SQLiteAsyncSession {
    static readonly [entityKind] = 'RelationalStoreSession'

    constructor(
      readonly storeDialect: unknown,
      readonly executor: Executor,
      readonly relations: unknown,
      readonly options: SessionOptions,
    ) {
      super(storeDialect, 'async')
    }

    prepareQuery(
      query: Query,
      mode: Mode,
      _prepare: boolean,
      method: Method = 'all',
      mapper?: RowsMapper,
      metadata?: unknown,
      cacheConfig?: unknown,
    ): Prepared {
      return new Prepared(this, query, mode, method, mapper, metadata, cacheConfig)
    }

    /** The same on another place to run statements. */
    on(executor: Executor): Session {
      return new Session(this.storeDialect, executor, this.relations, this.options)
    }

    transaction(callback: Callback): Promise<unknown> {
      return nested(this, callback, 0)
    }
  }

  class StoreTransaction extends core.SQLiteAsyncTransaction {
    static readonly [entityKind] = 'RelationalStoreTransaction'

    constructor(
      readonly storeSession: Session,
      readonly depth: number,
    ) {
      super('async', storeSession.storeDialect, storeSession, storeSession.relations, depth)
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

  /** What the store gives is a number, bigint, string or Buffer. */
  const codecs = core.refineSqliteCodecs({
    'integer:boolean': { normalize: core.booleanFromInteger },
    'integer:timestamp': { normalize: core.dateFromStoredSeconds },
    'integer:timestamp_ms': { normalize: core.dateFromStoredMilliseconds },
    'text:json': { normalize: JSON.parse },
    'blob:json': { cast: core.castToText, normalize: JSON.parse },
    'blob:bigint': { cast: core.castToText, normalize: BigInt },
    numeric: { cast: core.castToText, normalize: String },
    'numeric:number': { normalize: Number },
    'numeric:bigint': { cast: core.castToText, normalize: BigInt },
  })

  return {
    Base: core.SQLiteAsyncDatabase,

    connect(executor: Executor, _schema: Record<string, unknown>, config: DrizzleConfig, options: SessionOptions): unknown[] {
      const dialect = explaining(new core.SQLiteDialect({ codecs, useJitMappers: true }))
      const relations = config.relations ?? {}
      return ['async', dialect, new Session(dialect, executor, relations, options), relations]
    },

    on(store: { session: unknown }, executor: Executor): unknown {
      const session = (store.session as Session).on(executor)
      return new core.SQLiteAsyncDatabase('async', session.storeDialect, session, session.relations)
    },

    reading(given: unknown, query: unknown, placeholders: Record<string, unknown>): Reading | undefined {
      const prepared = preparedOf(query)
      if (prepared instanceof Prepared) return prepared.reading(placeholders)
      const raw = rawOf(prepared)
      return raw && (given as Session).prepareQuery(raw as Query, 'objects', false, 'all').reading(placeholders)
    },

    async runIn(executor: Executor, given: unknown, query: unknown): Promise<unknown> {
      const prepared = (query as { _prepare(): unknown })._prepare()
      if (prepared instanceof Prepared) return prepared.in(executor)
      const raw = query as { getQuery(): Query & { method?: Method } }
      const { sql, params, method = 'all' } = raw.getQuery()
      return (given as Session).prepareQuery({ sql, params } as Query, 'objects', false, method).in(executor)
    },
  }
}
