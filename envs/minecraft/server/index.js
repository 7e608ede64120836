'use strict'
/** A Minecraft-protocol server and its players in lockstep, served to trunkline over a unix socket. */

const { stillIntervals } = require('./clock.js')

stillIntervals()

const { serve, InputError } = require('../../remote/node/trunkline-remote.js')
const { Arena } = require('./arena.js')
const { failures } = require('./failures.js')
const { simulate } = require('./simulate.js')
const { version } = require('./package.json')

let arena = null

/** A method that needs the arena, and fails when the game does. */
function playing (method) {
  return args => failures.guard(async () => {
    if (!arena) throw new InputError('configure comes first')
    return method(args)
  })
}

async function configure (args) {
  if (arena) throw new InputError('this server is configured already; start another for another world')
  arena = await failures.guard(() => Arena.open(args))
  return { ...arena.tables(), observation: arena.observe() }
}

const methods = {
  configure,
  reset: playing(async args => { await arena.reset(args); return arena.observe() }),
  step: playing(async args => { await arena.step(args); return arena.observe() }),
  observe: playing(() => arena.observe()),
  hash: playing(() => arena.hash()),
  blocks: playing(args => arena.blocks(args)),
  memory: () => ({ rss_mb: process.memoryUsage().rss / 2 ** 20 }),
  simulate
}

process.on('unhandledRejection', error => failures.raise(error))
process.on('uncaughtException', error => failures.raise(error))
serve(methods, { name: 'minecraft-server', version })
