'use strict'
/** What players see and are, as arrays over the players. */

const { createHash } = require('node:crypto')
const { nd } = require('../../remote/node/trunkline-remote.js')

const DEGREE = Math.PI / 180
const SLOTS = 36 // hotbar first, then the three rows above it
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
    this.slots = new Int16Array(players.length * SLOTS * 2)
    players.forEach((player, row) => player.bot.inventory.on('updateSlot', () => this.refill(player, row)))
    players.forEach((player, row) => this.refill(player, row))
  }

  refill (player, row) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const item = player.bot.inventory.slots[windowSlot(slot)]
      const at = (row * SLOTS + slot) * 2
      this.slots[at] = item?.type ?? 0
      this.slots[at + 1] = item?.count ?? 0
    }
  }

  /** What there is to tell of each player; voxels only of those where they are not as they were last told (`moved`). */
  observe (tick) {
    const { players, size } = this
    const count = players.length
    const pose = new Float64Array(count * 5)
    const velocity = new Float64Array(count * 3)
    const status = new Float32Array(count * 4)
    const flags = new Int32Array(count * 3)
    const digging = new Float32Array(count * 4)
    const origins = new Int32Array(count * 3)
    const moved = []
    players.forEach(({ body, bot, hands, window }, row) => {
      const { position: p, velocity: v } = body
      pose.set([p.x, p.y, p.z, body.yaw, body.pitch], row * 5)
      velocity.set([v.x, v.y, v.z], row * 3)
      status.set([bot.health, bot.food, body.state.isInWater ? 1 : 0, body.state.isInLava ? 1 : 0], row * 4)
      flags.set([body.onGround ? 1 : 0, bot.quickBarSlot, hands.events], row * 3)
      if (hands.digging) digging.set([...hands.digging.position.toArray(), hands.digging.progress], row * 4)
      if (window) {
        window.follow(p)
        origins.set(window.origin, row * 3)
        if (window.changed) moved.push(row)
        window.changed = false
      }
      hands.events = 0
    })
    const answer = {
      tick,
      pose: nd(pose, [count, 5]),
      velocity: nd(velocity, [count, 3]),
      status: nd(status, [count, 4]),
      flags: nd(flags, [count, 3]),
      digging: nd(digging, [count, 4]),
      inventory: nd(this.slots, [count, SLOTS, 2]),
      ...this.entities()
    }
    if (size > 0) {
      answer.origin = nd(origins, [count, 3])
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
    return { entities: nd(Int32Array.from(kinds), [count, 4]), entity_pose: nd(Float64Array.from(places), [count, 5]) }
  }

  /** A digest of all that there is to observe. */
  hash (tick) {
    const { moved, voxels, ...rest } = this.observe(tick)
    for (const row of moved ?? []) this.players[row].window.changed = true // it is yet to be told
    const digest = createHash('sha256').update(this.voxels)
    for (const [name, value] of Object.entries(rest)) {
      digest.update(name).update(ArrayBuffer.isView(value) ? value : String(value))
    }
    return digest.digest('hex')
  }
}

module.exports = { Observer, SLOTS, windowSlot }
