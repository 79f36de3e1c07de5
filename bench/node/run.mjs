// The package beside drizzle-orm on better-sqlite3, of the same Drizzle: each peer in a process of its own, in turns, capture on in ours.
//
//   (cd packages/dotdo && npm ci && npm run build:addon && npm run build && npm run pack:all)
//   cd bench/node && npm install --no-save --no-package-lock ../../packages/dotdo/npm/*.tgz && node run.mjs [rounds]
//
// Prints a line a measurement: the median of the rounds of each, and how many times as fast ours is. WAL and synchronous=NORMAL in both, unless
// said otherwise; every file on the disk that the temporary folder is on.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const rounds = Number(process.argv[2] ?? 3)
const peers = ['dotdo', 'better-sqlite3']
const results = new Map()
for (let round = 0; round < rounds; round++) {
  for (const peer of round % 2 ? [...peers].reverse() : peers) {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(new URL('measure.mjs', import.meta.url)), peer], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    for (const [name, unit, value] of JSON.parse(stdout)) {
      if (!results.has(name)) results.set(name, { unit, dotdo: [], 'better-sqlite3': [] })
      results.get(name)[peer].push(value)
    }
  }
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]
console.log(`node ${process.version}, ${rounds} rounds\n`)
console.log('| what | unit | dotdo | better-sqlite3 | times as fast |')
console.log('|---|---|---:|---:|---:|')
for (const [name, { unit, ...by }] of results) {
  const [ours, theirs] = peers.map((peer) => median(by[peer]))
  console.log(`| ${name} | ${unit} | ${ours.toFixed(2)} | ${theirs.toFixed(2)} | ${(theirs / ours).toFixed(2)} |`)
}
