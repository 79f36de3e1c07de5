// Folders of migrations, as drizzle-kit makes them.

import type { Database } from '../../engine/database.js'
import { RelationalStoreError } from '../../engine/error.js'
import { databaseOf } from './evolution.js'
import { applied } from './migration.js'
import type { AppliedMigration } from './migration.js'
import type { RelationalStore } from './store.js'

export { SchemaEvolution } from './evolution.js'
export type { CompatibilityFinding, CompatibilityMode, CompatibilityReport, SchemaChange, SchemaEvolutionOptions } from './evolution.js'
export type { AppliedMigration } from './migration.js'

export interface MigrateOptions {
  /** The folder: with a journal (drizzle-kit up to 0.45), a folder each (1.0), or plain `NNNN_name.sql` files. */
  migrationsFolder: string
  /** Whether what is lost for good may be: dropped tables and columns, deleted rows. */
  allowDestructive?: boolean
  /** Whether migrations that are older than the newest applied one are applied too: two branches were merged. */
  allowLate?: boolean
}

/**
 * Applies what of a folder is not applied, in order, each migration wholly or not at all, with foreign keys off while a table is rebuilt. What
 * Drizzle's own migrator had applied is taken for applied. Gives the migrations that it applied.
 */
export async function migrate(db: Database | RelationalStore<any, any>, options: MigrateOptions): Promise<AppliedMigration[]> {
  const database = databaseOf(db)
  const { migrationsFolder, allowDestructive = false, allowLate = false } = options ?? {}
  if (typeof migrationsFolder !== 'string') {
    throw new RelationalStoreError('Invalid', 'migrate takes the path of a folder', { hint: "migrate(db, { migrationsFolder: './migrations' })" })
  }
  return database.exclusively(async () => {
    const { native, workers } = database
    const chosen = JSON.stringify({ allowDestructive, allowLate })
    const report = await workers.do(() => native.migrateFolder(migrationsFolder, chosen), (job) => native.takeText(job))
    return (JSON.parse(report!) as { applied: Parameters<typeof applied>[0][] }).applied.map(applied)
  })
}
