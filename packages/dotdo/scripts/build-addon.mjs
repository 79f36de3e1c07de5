// Builds the native addon with cargo and puts it beside addon.cjs, named as `napi build --platform` names it. CARGO_TARGET_DIR is honoured.
//
// DOTDO_ADDON    the library that cargo has built already, such as target/release/librelstore_node.so of a whole workspace: it is taken as it is

import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'

import { current, here } from './platform.mjs'

if (current === undefined) throw new Error(`package.json names no target for ${process.platform} on ${process.arch}`)
const workspace = join(here, '..', '..')
const given = process.env.DOTDO_ADDON
if (given === undefined) execFileSync('cargo', ['build', '--release', '--locked', '-p', 'relstore-node'], { cwd: workspace, stdio: 'inherit' })

const target = process.env.CARGO_TARGET_DIR ?? join(workspace, 'target')
const built = { linux: 'librelstore_node.so', darwin: 'librelstore_node.dylib', win32: 'relstore_node.dll' }[process.platform]
const file = join(here, current.addon)
// Moved into place: a process may have the old one mapped.
copyFileSync(given ?? join(target, 'release', built), `${file}.new`)
// What only a debugger reads is more than a third of it. Where there is no strip, it stays.
if (process.platform === 'linux') spawnSync('strip', ['--strip-unneeded', `${file}.new`])
if (process.platform === 'darwin') spawnSync('strip', ['-x', `${file}.new`])
renameSync(`${file}.new`, file)
