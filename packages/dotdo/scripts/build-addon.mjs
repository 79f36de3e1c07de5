// Builds the native addon with cargo and puts it beside addon.cjs. CARGO_TARGET_DIR is honoured.
//
// DOTDO_ADDON    the library that cargo has built already, such as target/release/librelstore_node.so of a whole workspace: it is taken as it is

import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('..', import.meta.url))
const workspace = join(here, '..', '..')
const given = process.env.DOTDO_ADDON
if (given === undefined) execFileSync('cargo', ['build', '--release', '--locked', '-p', 'relstore-node'], { cwd: workspace, stdio: 'inherit' })

const target = process.env.CARGO_TARGET_DIR ?? join(workspace, 'target')
const built = { linux: 'librelstore_node.so', darwin: 'librelstore_node.dylib', win32: 'relstore_node.dll' }[process.platform]
const glibc = process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime
const suffix = { linux: glibc ? '-gnu' : '-musl', win32: '-msvc' }[process.platform] ?? ''
const file = join(here, `relstore-node.${process.platform}-${process.arch}${suffix}.node`)
// Moved into place: a process may have the old one mapped.
copyFileSync(given ?? join(target, 'release', built), `${file}.new`)
// What only a debugger reads is more than a third of it. Where there is no strip, it stays.
if (process.platform === 'linux') spawnSync('strip', ['--strip-unneeded', `${file}.new`])
if (process.platform === 'darwin') spawnSync('strip', ['-x', `${file}.new`])
renameSync(`${file}.new`, file)
