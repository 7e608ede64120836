'use strict'
/** What players see and are, as arrays over the players. */

const { createHash } = require('node:crypto')
const { nd } = require('../../remote/node/trunkline-remote.js')

const DEGREE = Math.PI / 180
const NOWHERE = { x: 0, y: 0, z: 0 }
const SLOTS = 36 // hotbar first, then the three rows above it

// Columns of a player's state, in the order that the Python end reads them.
const STATE = [
  'x', 'y', 'z', 'yaw', 'pitch', 'vx', 'vy', 'vz', 'on_ground', 'health', 'food', 'in_water', 'in_lava', 'slot', 'events',
  'dig_x', 'dig_y', 'dig_z', 'dig_progress', 'origin_x', 'origin_y', 'origin_z',
  'collided', 'touched', 'touched_x', 'touched_y', 'touched_z', 'struck', 'struck_health', 'killed'
]

const windowSlot = slot => slot < 9 ? 36 + slot : slot

class Observer {
  /**
   * @param {Player[]} players
   * @param {Uint16Array} voxels (players, n, n, n), which their windows write.
   */
  constructor (players, voxels, size, range) {
    this.players = players
    this.voxels = voxels
    this.size = size
    this.range = range
    this.changes = [] // rows of (player, x, y, z, state): blocks that players saw change since they were last told
    this.repacked = new Set() // players whose inventories have changed since they were last told
    this.slots = new Int16Array(players.length * SLOTS * 2)
    players.forEach(({ view }, row) => view.world.on('blockUpdate', (before, { position: { x, y, z }, stateId }) => {
      if (before.stateId !== stateId) this.changes.push(row, x, y, z, stateId)
    }))
    players.forEach((player, row) => player.bot.inventory.on('updateSlot', () => this.refill(player, row)))
    players.forEach((player, row) => this.refill(player, row))
  }

  refill (player, row) {
    this.repacked.add(row)
    for (let slot = 0; slot < SLOTS; slot++) {
      const item = player.bot.inventory.slots[windowSlot(slot)]
      const at = (row * SLOTS + slot) * 2
      this.slots[at] = item?.type ?? 0
      this.slots[at + 1] = item?.count ?? 0
    }
  }

  /**
   * What there is to tell: a row of `STATE` a player; inventories and voxels only of those that are not as they were last
   * told (`repacked`, `moved`), entities and changes of blocks only if there are any.
   */
  observe (tick) {
    const { players, size } = this
    const state = new Float64Array(players.length * STATE.length)
    const moved = []
    players.forEach(({ game, body, bot, hands, window }, row) => {
      const { position: p, velocity: v } = body
      if (window) {
        window.follow(p)
        if (window.changed) moved.push(row)
        window.changed = false
      }
      const [i, j, k] = window?.origin ?? [0, 0, 0]
      const dig = hands.digging
      const { x, y, z } = dig?.position ?? NOWHERE
      const { touched, struck, killed } = hands
      const at = touched ?? NOWHERE
      state.set([
        p.x, p.y, p.z, body.yaw, body.pitch, v.x, v.y, v.z, body.onGround, bot.health, bot.food, body.state.isInWater,
        body.state.isInLava, bot.quickBarSlot, hands.events, x, y, z, dig?.progress ?? 0, i, j, k,
        body.state.isCollidedHorizontally, touched !== null, at.x, at.y, at.z, struck, game.server.entities[struck]?.health ?? 0, killed
      ], row * STATE.length)
      hands.forget()
    })
    const answer = { tick, state: nd(state, [players.length, STATE.length]), ...this.entities() }
    if (this.repacked.size > 0) {
      answer.inventory = nd(this.slots, [players.length, SLOTS, 2])
      this.repacked.clear()
    }
    if (this.changes.length > 0) {
      answer.changes = nd(Int32Array.from(this.changes), [this.changes.length / 5, 5])
      this.changes = []
    }
    if (size > 0 && moved.length > 0) {
      answer.moved = moved
      answer.voxels = this.cubes(moved)
    }
    return answer
  }

  /** The windows of some players, one after the other. */
  cubes (rows) {
    const { size } = this
    const volume = size ** 3
    const cube = row => this.voxels.subarray(row * volume, (row + 1) * volume)
    const all = rows.length === this.players.length
    const cells = all ? this.voxels : rows.length === 1 ? cube(rows[0]) : new Uint16Array(rows.length * volume)
    if (!all && rows.length > 1) rows.forEach((row, at) => cells.set(cube(row), at * volume))
    return nd(cells, [rows.length, size, size, size])
  }

  /** Rows of (player, id, type, item) and of (x, y, z, yaw, pitch), nearest to farthest from nobody in particular: by id. */
  entities () {
    const kinds = []
    const places = []
    this.players.forEach(({ bot, body }, row) => {
      for (const entity of Object.values(bot.entities)) {
        if (entity === bot.entity || entity.entityType === undefined && entity.type !== 'player') continue
        const { position: p } = entity
        if (p.distanceTo(body.position) > this.range) continue
        const type = entity.entityType ?? bot.registry.entitiesByName.player.id
        kinds.push(row, entity.id, type, entity.name === 'item' ? entity.metadata?.[7]?.itemId ?? 0 : 0)
        const yaw = 180 - entity.yaw / DEGREE
        places.push(p.x, p.y, p.z, yaw - 360 * Math.floor((yaw + 180) / 360), -entity.pitch / DEGREE)
      }
    })
    const count = kinds.length / 4
    if (count === 0) return {}
    return { entities: nd(Int32Array.from(kinds), [count, 4]), entity_pose: nd(Float64Array.from(places), [count, 5]) }
  }

  /** A digest of all that there is to observe. */
  hash (tick) {
    const { state, entities, entity_pose: places } = this.observe(tick)
    const digest = createHash('sha256').update(String(tick))
    for (const array of [state, this.slots, this.voxels, entities, places]) if (array) digest.update(array)
    this.forget()
    return digest.digest('hex')
  }

  /** What one player saw change so far is not told. */
  ignoreChanges (row) {
    this.changes = this.changes.filter((_, place, all) => all[place - place % 5] !== row)
  }

  /** The next observation tells everything. */
  forget () {
    this.players.forEach(({ window }, row) => {
      this.repacked.add(row)
      if (window) window.changed = true
    })
  }
}

module.exports = { Observer, SLOTS, windowSlot }
