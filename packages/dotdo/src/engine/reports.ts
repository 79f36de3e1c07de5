// What the other tiers report, as the addon says it and as programs read it.

/** What an archive did. */
export interface Archived {
  /** Rows written into history: versions of rows, so an update is one. */
  rows: number
  /** The same by table. */
  tables: Record<string, number>
  /** Segments of the log that were written, and their bytes. */
  segments: number
  segmentBytes: number
}

/** What the archive of a store did. */
export interface ArchiveReport extends Archived {
  /** Everything up to here is in history. */
  lsn: number
}

/** What the archive of a fleet did. */
export interface FleetArchiveReport extends Archived {
  /** By store: everything up to here is in history. */
  lsns: Record<string, number>
  /** Stores that another process has open: theirs may be behind. */
  busy: string[]
  /** Stores that cannot be archived: they never were, and their log does not reach back to their beginning any more. */
  trimmed: string[]
}

/** What a store is now. */
export interface StoreStatus {
  ns: string
  /** Rows in the hot file, by table. */
  tables: Record<string, number>
  /** Rows that were evicted and not brought back, over all tables. */
  evictedRows: number
  /** The last change; what is in the bucket; what is in history. */
  lsn: { committed: number; shipped: number; archived: number }
  /** The size of the hot file, without its WAL. */
  hotBytes: number
  schemaVersion: number
  /** When the last change was committed. */
  lastCommit: Date | null
}

/** What a restore did. */
export interface RestoreReport {
  /** The last change that is in the restored store, by the position that it had, and when it was committed. */
  lsn: number
  timestamp: Date
  /** Rows in all, and by table. */
  rows: number
  tables: Record<string, number>
}

/** What the refresh of a view did. */
export interface ViewReport {
  /** How many rows it has, over all stores, and how many dates. */
  rows: number
  partitions: number
  /** Its files that were written, and that had the same rows already. */
  filesWritten: number
  filesUnchanged: number
}

/** What an eviction did. */
export interface EvictReport {
  /** Rows that left the hot file. */
  rows: number
  /** Files that they are in now, and their bytes. */
  files: number
  bytes: number
}

export interface RawArchiveReport {
  watermarks: Record<string, number>
  rows: number
  tables: Record<string, number>
  segments: number
  segment_bytes: number
  busy: string[]
  trimmed: string[]
}

export function archived({ rows, tables, segments, segment_bytes }: RawArchiveReport): Archived {
  return { rows, tables, segments, segmentBytes: segment_bytes }
}

export interface RawStatus {
  ns: string
  tables: Record<string, number>
  evicted_rows: number
  high_water: number
  shipped: number
  archived: number
  hot_bytes: number
  schema_version: number
  last_commit: string | null
}

export function statusOf(raw: RawStatus): StoreStatus {
  return {
    ns: raw.ns,
    tables: raw.tables,
    evictedRows: raw.evicted_rows,
    lsn: { committed: raw.high_water, shipped: raw.shipped, archived: raw.archived },
    hotBytes: raw.hot_bytes,
    schemaVersion: raw.schema_version,
    lastCommit: raw.last_commit === null ? null : new Date(raw.last_commit),
  }
}

export interface RawRestoreReport {
  lsn: number
  timestamp: string
  rows: number
  tables: Record<string, number>
}

export function restored({ lsn, timestamp, rows, tables }: RawRestoreReport): RestoreReport {
  return { lsn, timestamp: new Date(timestamp), rows, tables }
}

export interface RawViewReport {
  rows: number
  partitions: number
  files_written: number
  files_unchanged: number
}

export function viewed(raw: RawViewReport): ViewReport {
  return { rows: raw.rows, partitions: raw.partitions, filesWritten: raw.files_written, filesUnchanged: raw.files_unchanged }
}
