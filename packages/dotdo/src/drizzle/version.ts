// Which versions of Drizzle are known to work, and which are known to be unsafe.

import { npmVersion } from 'drizzle-orm/version'

import { RelationalStoreError } from '../engine/error.js'

/** As package.json has it for npm, which only warns where a program insists. */
const SUPPORTED = '>=0.30.0 <1 || ^1.0.0-rc.4'

function numbers(version: string): [number, number, number, number] {
  const [release = '', pre] = version.split('-', 2)
  const [major = 0, minor = 0, patch = 0] = release.split('.').map(Number)
  const candidate = pre === undefined ? Infinity : pre.startsWith('rc.') ? Number(pre.slice(3)) : -1
  return [major, minor, patch, candidate]
}

/** Whether the package works with this version. */
export function isSupported(version: string = npmVersion): boolean {
  const [major, minor, patch, candidate] = numbers(version)
  if (major === 0) return minor >= 30
  if (major !== 1) return false
  return minor > 0 || patch > 0 || candidate >= 4
}

/** Whether names are not escaped in it (CVE-2026-39356). */
export function isUnsafe(version: string): boolean {
  const [major, minor, patch] = numbers(version)
  return major === 0 && (minor < 45 || (minor === 45 && patch < 2))
}

let isWarned = false

/** Refuses a version that is not supported, and warns once of one that is not safe. */
export function checkVersion(version: string = npmVersion): void {
  if (!isSupported(version)) {
    throw new RelationalStoreError('Unsupported', 'this version of drizzle-orm is not supported', {
      context: [['version', version]],
      hint: `install drizzle-orm ${SUPPORTED}`,
    })
  }
  if (isUnsafe(version) && !isWarned) {
    isWarned = true
    process.emitWarning(`drizzle-orm ${version} does not escape the names of tables and columns (CVE-2026-39356): use 0.45.2 or later`, {
      code: 'DOTDO_DRIZZLE_UNSAFE',
    })
  }
}
