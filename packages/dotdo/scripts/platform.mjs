// The platforms that the addon is built for, by the targets that package.json names for `napi build`.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const here = fileURLToPath(new URL('..', import.meta.url))
export const manifest = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'))
const { binaryName, targets } = manifest.napi

const OS = { linux: 'linux', darwin: 'darwin', windows: 'win32' }
const CPU = { x86_64: 'x64', aarch64: 'arm64' }
/** What each target's C library is to npm. */
const LIBC = { gnu: 'glibc', musl: 'musl' }

function platformOf(target) {
  const [arch, , system, abi] = target.split('-')
  const [os, cpu, libc] = [OS[system], CPU[arch], system === 'linux' ? LIBC[abi] : undefined]
  if (os === undefined || cpu === undefined) throw new Error(`package.json names a target that is not known here: ${target}`)
  const name = [os, cpu, ...(abi === undefined ? [] : [abi])].join('-')
  return { name, os, cpu, libc, addon: `${binaryName}.${name}.node`, packageName: `${manifest.name}-${name}` }
}

export const platforms = targets.map(platformOf)

const libc = process.platform === 'linux' ? (process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl') : undefined

/** The one that this runs on. */
export const current = platforms.find((platform) => platform.os === process.platform && platform.cpu === process.arch && platform.libc === libc)
