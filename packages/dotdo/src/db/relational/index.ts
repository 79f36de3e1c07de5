// What `dotdo/db/relational` gives.

export { Database, open } from '../../engine/database.js'
export type { Moment, OpenOptions, RunResult } from '../../engine/database.js'
export { RelationalStoreError } from '../../engine/error.js'
export type { ErrorKind } from '../../engine/error.js'
export type { ChangesOptions, Commit, FollowOptions, UnifiedEvent } from '../../engine/feed.js'
export { Fleet, openFleet } from '../../engine/fleet.js'
export type { FleetOptions } from '../../engine/fleet.js'
export type { ArchiveReport, EvictReport, FleetArchiveReport, RestoreReport, StoreStatus, ViewReport } from '../../engine/reports.js'
export type { IterateOptions } from '../../engine/rows.js'
export type { DrizzleConfig } from '../../drizzle/generation.js'
export type { MigrationDatabase, RowOf } from '../../drizzle/types.js'
export { RelationalStore } from './store.js'
export type {
  ColumnInfo,
  ConstraintInfo,
  EventErrorHandler,
  EventOptions,
  InlineMigration,
  ReferenceInfo,
  RelationalStoreConstructor,
} from './store.js'
export { SchemaEvolution } from './evolution.js'
export type { CompatibilityFinding, CompatibilityMode, CompatibilityReport, SchemaChange, SchemaEvolutionOptions } from './evolution.js'
export type { AppliedMigration } from './migration.js'
export type { At, RestoreOptions, ViewOptions } from './tiers.js'
