// The addon's shape. What crosses is numbers of parameters, a buffer with packed cells, one string a chunk, and JSON.

import addon from '#addon'

/** The number of what a worker does; its result is taken when the store tells that it is there. */
export type Job = number

/** A transaction, query or outcome is given as chunks: the string of the next one, its cells in the buffer. */
export interface NativeAnswer {
  next(io: Buffer): string | null
  names(): string[]
  elapsedMs(): number
}

export interface NativeStatement {
  number(): number
  readLater(io: Buffer, count: number, cancel: NativeCancel | undefined): Job
  rows(io: Buffer, count: number): NativeRows
}

/** The rows of a query, as chunks; the one after the last is empty. */
export interface NativeRows {
  next(): Job
  stop(): void
  end(): Job
}

export interface NativeCancel {
  cancel(): void
}

export interface NativeOutcomes {
  take(at: number, io: Buffer): string | null
}

export interface NativeTransaction {
  number(): number
  runLater(statement: number, io: Buffer, count: number, withColumns: boolean): Job
  savepoint(): number
  release(number: number): void
  rollBackTo(number: number): void
  commit(): void
  commitLater(): Job
  rollBack(): void
}

export interface NativeMigration {
  run(sql: string, io: Buffer, count: number): Job
  finish(): Job
  abandon(): void
}

export interface NativeFeed {
  next(): Job
  acknowledge(lsn: number): Job
  end(): void
}

export interface NativeStore {
  path(): string
  lsn(): number
  rest(): NativeAnswer
  endSnapshot(): void
  catchUp(): void
  tryBegin(): NativeTransaction | null
  begin(): Job
  follow(after: number | null, tables: string[], isFull: boolean): NativeFeed
  subscribe(name: string, after: number | null, isWithSnapshot: boolean, tables: string[], isFull: boolean): Job
  describe(): string
  checkShape(mode: string, sql: string): string
  checkChange(mode: string, change: string): string
  migrateFolder(path: string, options: string): Job
  migrations(): string
  migrationVersion(): number
  beginMigration(version: number, isBack: boolean): Job
  archive(): Job
  status(): Job
  restore(lsn: number | null, millis: number | null, to: string): Job
  asOf(lsn: number | null, millis: number | null): Job
  takeRestored(job: Job): NativePast
  view(name: string, sql: string, columns: string[], by: string, dates: string): Job
  evict(table: string, condition: string): Job
  stop(): void
  close(): Job
  end(): void
  exit(): void
  news(): Job[]
  takeNothing(job: Job): void
  takeText(job: Job): string | null
  takeAnswer(job: Job): NativeAnswer
  takeOutcomes(job: Job): NativeOutcomes
  takeTransaction(job: Job): NativeTransaction
  takeFeed(job: Job): NativeFeed
  takeMigration(job: Job): NativeMigration | null
}

/** A store as it was, until it is opened. */
export interface NativePast {
  report(): string
}

export interface NativeFleet {
  path(): string
  namespaces(): Job
  stores(): Job
  archive(): Job
  query(sql: string): Job
  explain(sql: string): Job
  news(): Job[]
  takeText(job: Job): string | null
  takeTable(job: Job): NativeFleetAnswer
  end(): void
  exit(): void
}

export interface NativeFleetAnswer {
  types(): string[]
  rows(): NativeAnswer
}

interface Addon {
  Store: {
    open(dir: string, ns: string, settings: string, tell: () => void): NativeStore
    openPast(past: NativePast, tell: () => void): NativeStore
  }
  Fleet: { open(dir: string, settings: string, tell: () => void): NativeFleet }
  Statement: new (store: NativeStore, sql: string) => NativeStatement
  Cancel: new () => NativeCancel
  shapeOf(sql: string): string
  read(statement: number, io: Buffer, count: number, withColumns: boolean): string | null
  write(statement: number, io: Buffer, count: number, withColumns: boolean): string | null
  enqueue(statement: number, io: Buffer, count: number): Job
  runIn(transaction: number, statement: number, io: Buffer, count: number, withColumns: boolean): string | null
}

export const { Store, Fleet, Statement, Cancel, shapeOf, read, write, enqueue, runIn } = addon as Addon
