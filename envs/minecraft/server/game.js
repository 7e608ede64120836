'use strict'
/** The server of the game: flying-squid, run tick by tick, its players connected within the process. */

const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const squid = require('flying-squid')
const { Vec3 } = require('vec3')
const { InputError } = require('../../remote/node/trunkline-remote.js')
const { failures } = require('./failures.js')
const { ageByTicks, generator, settle } = require('./clock.js')
const { Motion } = require('./motion.js')
const { Names, VERSION } = require('./names.js')
const { pipe, split } = require('./pipe.js')
const { Terrain } = require('./terrain.js')

const TICK = 0.05 // s
const VIEW = 3 // chunks that a player is sent to each side
const NEVER = 2 ** 31 - 1 // ms, the longest that a timer can wait
const NO_FACTS = { damage: {}, outlines: { states: [], boxes: new Float64Array(0) } }
const SPAWN = new Vec3(0.5, 80, 0.5)

class Game {
  constructor (server, terrain, names, seed, facts) {
    this.server = server
    this.terrain = terrain
    this.names = names
    this.seed = seed
    this.damage = facts.damage
    const { states, boxes } = facts.outlines
    this.outlines = new Map(Array.from(states, (state, row) => [state, [Array.from(boxes.subarray(6 * row, 6 * row + 6))]]))
    this.edited = new Set()
    this.restart()
  }

  /**
   * @param {{seed: number, generator: string, port: ?number, facts: object}} options a port of this machine where a game
   *   can be joined to watch; without one nobody else can connect. `facts` holds the damage of items by name, and the
   *   outlines of blocks that nothing collides with.
   */
  static async start ({ seed, generator: name, port, facts = NO_FACTS }) {
    const registry = require('prismarine-registry')(VERSION)
    for (const { name } of registry.blocksArray) registry.blockLoot[name] ??= { block: name, drops: [] } // or digging throws
    const names = new Names(registry)
    const terrain = new Terrain(registry, names, { name, seed })
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trunkline-')) // mode 0700; a server has to listen somewhere
    const server = squid.createMCServer({
      ...(port ? { port, host: '127.0.0.1' } : { port: path.join(folder, 'game') }),
      motd: 'trunkline',
      version: VERSION,
      'max-players': 32,
      'max-entities': 1000,
      'online-mode': false,
      validateChannelProtocol: false, // of messages that plug-ins send; there are none
      'everybody-op': false,
      'view-distance': VIEW,
      'player-list-text': { header: '', footer: '' },
      logging: false,
      noConsoleOutput: true,
      hideErrors: true,
      debug: () => {}, // with it, the server leaves errors alone instead of ending the process
      gameMode: 0,
      difficulty: 0,
      kickTimeout: NEVER,
      generation: { name: 'empty', options: { seed: seed || 1 } },
      plugins: {}
    })
    server.log = () => {}
    const game = new Game(server, terrain, names, seed, facts)
    try {
      await once(server, 'ready') // rejects on an error
    } catch (error) {
      throw error.code === 'EADDRINUSE' ? new InputError(`port ${port} is in use; choose another, or none`) : error
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
    game.inherit()
    return game
  }

  /** Replaces what the server does by chance or by the clock on the wall. */
  inherit () {
    const { server } = this
    server.stopTickInterval()
    server.doDaylightCycle = false
    server.registry.blockLoot = this.names.registry.blockLoot
    server.getSpawnPoint = async () => SPAWN.clone()
    server.overworld.chunkGenerator = (x, z) => this.terrain.column(x, z)
    server._worldLoadPlayerChunk = (x, z, player) => { // the server's own counts a player twice, and so never unloads
      const key = `${x},${z}`
      if (player.loadedChunks[key]) return false
      player.loadedChunks[key] = 1
      server._worldChunksUsed[key] = (server._worldChunksUsed[key] ?? 0) + 1
      return true
    }
    const unload = server.overworld.unloadColumn.bind(server.overworld)
    server.overworld.unloadColumn = (x, z) => { if (!this.edited.has(`${x},${z}`)) unload(x, z) }
    server.overworld.on('blockUpdate', (before, { position }) => this.edited.add(`${position.x >> 4},${position.z >> 4}`))
    server._writeArray = (name, fields, players) => { // one packet to several players is written once
      if (players.length === 1) players[0]._client.write(name, fields)
      else server._server.writeToClients(players.map(player => player._client), name, fields)
    }
    const spawnObject = server.spawnObject
    server.spawnObject = (type, world, position, options) => {
      const leap = () => this.random() * 4 - 2
      const velocity = new Vec3(leap(), this.random() * 2 + 2, leap())
      return spawnObject(type, world, position, { ...options, velocity })
    }
    const motion = new Motion(server.registry, server.overworld)
    server.on('newEntity', entity => {
      ageByTicks(entity, () => this.tick)
      motion.drive(entity)
    })
    server.on('newPlayer', player => {
      player.worldSendRestOfChunks = () => player.worldSendInitialChunks() // all at once, not one each 5 ms
      player.on('attack', blow => { blow.damage = this.damage[player.inventory.slots[36 + player.heldItemSlot]?.name] ?? 1 })
      player.on('sendChunk', ({ chunk }) => mask(chunk))
    })
    server.on('error', error => failures.raise(error))
  }

  /** Sets the clock of ticks and the chances of drops to their beginning. */
  restart () {
    this.tick = 0
    this.random = generator(this.seed)
  }

  /** A stream to connect a player with. */
  connect () {
    const [outer, inner] = pipe()
    this.server._server.once('connection', split)
    this.server._server.socketServer.emit('connection', inner)
    return outer
  }

  player (username) {
    return this.server.players.find(player => player.username === username)
  }

  /** Tells all players of all: who joined first is not named to who joined later, and clients ignore whom nobody named. */
  async introduce () {
    const { players } = this.server
    for (const player of players) this.server._sendPlayerList(player)
    for (const player of players) {
      player.nearbyEntities = []
      player.updateAndSpawn()
    }
    await settle()
  }

  /** One tick of the server, to its end. */
  async advance () {
    this.tick++
    this.server.tickCount = this.tick
    this.server.emit('tick', TICK, this.tick)
    await settle()
  }

  /** Chunks are made anew, without edits, and sent to those who have them. */
  async refresh (chunks) {
    const world = this.server.overworld
    for (const [x, z] of chunks) {
      const key = `${x},${z}`
      this.edited.delete(key)
      if (!world.columns[key]) continue
      world.setLoadedColumn(x, z, this.terrain.column(x, z))
      for (const player of this.server.players.filter(player => player.loadedChunks[key])) {
        player._client.write('unload_chunk', { chunkX: x, chunkZ: z })
        await player.sendChunk(x, z, world.columns[key])
      }
    }
    await settle()
  }

  /** All mobs and drops no further than `radius` from one of the places vanish. */
  clear (places, radius) {
    for (const entity of Object.values(this.server.entities)) {
      if (entity.type !== 'player' && places.some(place => place.distanceTo(entity.position) <= radius)) entity.destroy()
    }
  }

  mob (name, [x, y, z], yaw, health = 20) {
    const type = this.names.mob(name)
    const turn = Math.round(yaw * 256 / 360) << 24 >> 24 // a signed byte is a full turn
    const entity = this.server.spawnMob(type.id, this.server.overworld, new Vec3(x, y, z), { yaw: turn })
    entity.health = health
    entity.size = new Vec3(type.width, type.height, type.width) // the server takes all mobs for 0.75 x 1.75
    return entity.id
  }

  async setBlocks (positions, states) {
    for (let row = 0; row < states.length; row++) {
      const [x, y, z] = positions.subarray(3 * row, 3 * row + 3)
      await this.server.setBlock(this.server.overworld, new Vec3(x, y, z), states[row])
    }
    await settle()
  }
}

/** The sections that a chunk really has: the server counts those too that were dug empty, and then sends none for them. */
function mask (chunk) {
  chunk.sectionMask = 0
  chunk.sections.forEach((section, index) => { if (section && !section.isEmpty()) chunk.sectionMask |= 1 << index })
}

module.exports = { Game, TICK }
