// examples/order-desk, as a program of its own that npm installed the package into: it compiles, and does what it says, also the second time.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DOTDO, DOTDO_PLATFORM, npm, project } from './npm.mjs'

const EXAMPLE = process.env.DOTDO_EXAMPLE

test('the order desk', () => {
  const folder = project()
  cpSync(EXAMPLE, folder, { recursive: true, filter: (path) => !/\/(node_modules|dist|data|package-lock\.json)$/.test(path) })
  // The tarball that is tested, wherever it lies.
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  manifest.dependencies.dotdo = `file:${DOTDO}`
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  const installed = npm(folder, 'install', DOTDO_PLATFORM)
  assert.equal(installed.status, 0, installed.said)
  const compiled = npm(folder, 'run', 'build')
  assert.equal(compiled.status, 0, compiled.said)
  const lines = () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/main.js', 'data'], { cwd: folder, encoding: 'utf8', timeout: 60_000 })
    assert.deepEqual([status, stderr], [0, ''], stdout)
    return stdout.split('\n')
  }

  const first = lines()
  const has = (said, ...wanted) => wanted.forEach((line) => assert.ok(said.some((other) => (line instanceof RegExp ? line.test(other) : other === line)), `${line} is not in\n${said.join('\n')}`))
  const outcomes = [
    'north: ada@example.com is taken',
    'north: order of 2 mug, 1 tea for ada is placed',
    'north: order of 20 tea for bob is placed',
    'north: order of 20 tea for ada is refused: 20 of tea are wanted, and 4 are left',
    'north: order of 5 kettle, 38 mug for ada is refused: the card is not good for 1306.00',
    'north: order of 1 mug is refused: nobody knows nobody',
    'south: order of 3 mug for cleo is placed',
  ]
  has(first, ...outcomes, 'north: Ada is registered')
  has(first, 'north: 3 orders, 359.20 in all', 'south: 1 orders, 28.50 in all', 'north: Ada ordered 2 × Mug, 1 × Green tea, 100 g for 26.20 (a present)')
  // What was refused has left no trace: neither in the stock nor in the feed.
  has(first, 'north: 21 × Green tea, 100 g sold, 4 left', 'north: 2 × Mug sold, 38 left', 'north: 1 × Copper kettle sold, 5 left', 'south: 3 × Mug sold, 37 left')
  has(first, /^north: revenue of \d{4}-\d\d-\d\d: 359\.20 from 3 orders$/)
  has(first, 'north: 0 orders before this run', 'all tenants: north has 3 orders for 359.20', 'all tenants: south has 1 orders for 28.50')
  const heard = (said, tenant, what) => said.filter((line) => line.startsWith(`${tenant}: event`) && line.includes(what)).length
  assert.deepEqual([heard(first, 'north', 'cdc.insert orders'), heard(first, 'south', 'cdc.insert orders'), heard(first, 'north', 'cdc.update products')], [3, 1, 4])

  const second = lines()
  has(second, ...outcomes, 'north: Ada is known from an earlier run')
  has(second, 'north: 6 orders, 718.40 in all', 'south: 2 orders, 57.00 in all', 'north: 42 × Green tea, 100 g sold, 4 left')
  has(second, 'north: 3 orders before this run', 'all tenants: north has 6 orders for 718.40', 'all tenants: south has 2 orders for 57.00')
  // Over midnight it is two days.
  const days = [...second.join('\n').matchAll(/revenue of .*: ([\d.]+) from (\d) orders/g)]
  const sum = (at) => days.reduce((all, day) => all + Number(day[at]), 0)
  assert.deepEqual([sum(1).toFixed(2), sum(2)], ['718.40', 6])
})
