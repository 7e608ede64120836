'use strict'
/** A game and its players: what the methods of the bridge do. */

const { InputError, nd } = require('../../remote/node/trunkline-remote.js')
const { CONTROLS } = require('./body.js')
const { settle } = require('./clock.js')
const { Game } = require('./game.js')
const { ACTIONS } = require('./hands.js')
const { Observer, SLOTS, windowSlot } = require('./observe.js')
const { Player } = require('./player.js')
const { View } = require('./view.js')

const MOST = 8 // players

class Arena {
  static async open (options) {
    const { agents = 1, generator = 'superflat', seed = 0, voxels = 32, range = 32, port = null, terrain = null, facts } = options
    between('agents', agents, 1, MOST)
    between('voxels', voxels, 0, 64)
    between('seed', seed, 0, 2 ** 31 - 1)
    if (port !== null) between('port', port, 1, 65535)
    const game = await Game.start({ seed, generator, port, facts })
    if (terrain) game.terrain.lay('world', terrain)
    const volume = voxels ** 3
    const cells = new Uint16Array(agents * volume)
    const players = []
    for (let index = 0; index < agents; index++) {
      players.push(await Player.join(game, `agent${index}`, voxels, cells.subarray(index * volume, (index + 1) * volume)))
    }
    await game.introduce()
    return new Arena(game, players, new Observer(players, cells, voxels, range))
  }

  constructor (game, players, observer) {
    this.game = game
    this.players = players
    this.observer = observer
    this.Item = require('prismarine-item')(game.server.registry)
  }

  tables () {
    return this.game.names.tables()
  }

  observe () {
    return this.observer.observe(this.game.tick)
  }

  hash () {
    return this.observer.hash(this.game.tick)
  }

  /** A new episode for one player; what is not given is left as it is. */
  async reset (options) {
    const { agent, pose, inventory, slot, game_mode: mode, health, terrain, blocks, entities, clear = 64, restart } = options
    const player = this.players[between('agent', agent, 0, this.players.length - 1)]
    const { names } = this.game
    const stacks = (inventory ?? []).map(([at, name, count]) =>
      [between('slot', at, 0, SLOTS - 1), names.item(name), between('count', count, 1, 64)])
    for (const { type } of entities ?? []) names.mob(type)
    if (pose && (pose.length !== 5 || !pose.every(Number.isFinite))) {
      throw new InputError(`pose ${JSON.stringify(pose)} is not [x, y, z, yaw, pitch]`)
    }
    if (blocks && (!(blocks.states instanceof Uint16Array) || !(blocks.positions instanceof Int32Array) ||
      blocks.positions.length !== 3 * blocks.states.length)) {
      throw new InputError('blocks are not {positions: int32 (n, 3), states: uint16 (n,)}')
    }
    for (const state of blocks?.states ?? []) names.state(state)

    if (restart) this.game.restart()
    player.hands.cancel()
    player.hands.rest()
    const places = [player.body.position.clone()]
    if (pose) places.push(player.body.position.offset(0, 0, 0).set(pose[0], pose[1], pose[2]))
    if (clear > 0) this.game.clear(places, clear)
    if (terrain) await this.game.refresh(this.game.terrain.lay(`agent${agent}`, terrain))
    if (pose) await this.teleport(player, pose)
    if (blocks) await this.game.setBlocks(blocks.positions, blocks.states)
    if (mode) player.server.setGameMode(names.gameMode(mode))
    if (health !== undefined || player.bot.health <= 0) player.server.updateHealth(health ?? 20)
    if (inventory) this.fill(player, stacks)
    if (slot !== undefined) player.hold(between('slot', slot, 0, 8))
    for (const { type, position, yaw = 0, health } of entities ?? []) this.game.mob(type, position, yaw, health)
    await settle()
    player.hands.forget()
    this.observer.ignoreChanges(agent)
  }

  async teleport (player, [x, y, z, yaw, pitch]) {
    const { server, body } = player
    body.look(yaw, pitch)
    await server.sendPosition(body.position.offset(0, 0, 0).set(x, y, z), false, true)
    await server.worldSendInitialChunks()
    server.sendSelfPosition()
    server.updateAndSpawn() // who and what is near now
    await settle()
    player.report()
    await settle()
  }

  fill (player, stacks) {
    const { inventory } = player.server
    inventory.slots.forEach((item, slot) => { if (item) inventory.updateSlot(slot, null) })
    for (const [slot, item, count] of stacks) inventory.updateSlot(windowSlot(slot), new this.Item(item.id, count))
  }

  /**
   * One tick.
   * @param {{controls: Float64Array, relative: boolean}} args a row a player: control byte; yaw and pitch in degrees, added
   *   to the present ones if `relative`; number of an action; hotbar slot or −1.
   */
  async step ({ controls, relative = false }) {
    const count = this.players.length
    if (!(controls instanceof Float64Array) || controls.length !== count * 5) {
      throw new InputError(`controls of ${controls?.length ?? 'no'} values; ${count} players take ${count} rows of 5`)
    }
    for (let at = 0; at < controls.length; at += 5) {
      between('control byte', controls[at], 0, 2 ** CONTROLS.length - 1)
      for (const angle of [controls[at + 1], controls[at + 2]]) {
        if (!Number.isFinite(angle)) throw new InputError(`look of ${angle} degrees`)
      }
      between('action', controls[at + 3], 0, ACTIONS.length - 1)
      between('slot', controls[at + 4], -1, 8)
    }
    this.players.forEach((player, row) => {
      const [bits, yaw, pitch, action, slot] = controls.subarray(5 * row, 5 * row + 5)
      const { body } = player
      player.act(bits, relative ? body.yaw + yaw : yaw, relative ? body.pitch + pitch : pitch, action, slot)
    })
    await settle()
    await this.game.advance()
  }

  /** The server's own blocks in a box: (nx, ny, nz) palette ids. */
  async blocks ({ origin: [x, y, z], shape: [nx, ny, nz] }) {
    const volume = between('blocks in the box', nx * ny * nz, 1, 2 ** 24)
    const states = new Uint16Array(volume)
    const world = this.game.server.overworld
    for (let i = x >> 4; i <= (x + nx - 1) >> 4; i++) {
      for (let k = z >> 4; k <= (z + nz - 1) >> 4; k++) await world.getColumn(i, k) // makes it if need be
    }
    const view = new View({ getColumn: (i, k) => world.getLoadedColumn(i, k), on: () => {} })
    for (let i = 0; i < nx; i++) {
      for (let k = 0; k < nz; k++) {
        for (let j = 0; j < ny; j++) states[(i * ny + j) * nz + k] = Math.max(0, view.stateAt(x + i, y + j, z + k))
      }
    }
    return nd(states, [nx, ny, nz])
  }
}

function between (name, value, low, high) {
  if (Number.isInteger(value) && value >= low && value <= high) return value
  throw new InputError(`${name} ${value} is not a whole number from ${low} to ${high}`)
}

module.exports = { Arena }
