'use strict'
/**
 * How mobs and drops fall and slide. The server's own motion takes an entity's feet for its middle, so that whatever lies on
 * the ground hops; here a box stands on its feet. Gravity, friction and top speed stay the server's.
 */

const { Cells, View } = require('./view.js')

const AXES = ['y', 'x', 'z']
const SKIN = 1e-7 // blocks that a box is smaller than it is, so that rounding does not make it stick

class Motion {
  constructor (registry, world) {
    const view = new View({ getColumn: (x, z) => world.getLoadedColumn(x, z), on: world.on.bind(world) })
    this.cells = new Cells(registry, (x, y, z) => view.stateAt(x, y, z))
  }

  /** Takes an entity's motion over; called by the server every tick with the seconds since the last. */
  drive (entity) {
    entity.calculatePhysics = async (seconds) => {
      const { velocity: v, position } = entity
      const place = position.clone()
      let onGround = entity.onGround
      if (this.cells.getBlock(position) !== null) {
        const top = entity.terminalvelocity.y
        v.y = Math.max(-top, v.y + entity.gravity.y * seconds)
        onGround = this.move(entity, place, seconds)
      }
      // The server tells of drops only while they move, so not where they came to rest.
      if (entity.type === 'object' && !place.equals(position)) await entity.sendPosition(place, onGround)
      return { position: place, onGround }
    }
  }

  /** Moves `place` as far as blocks let it; returns whether it stands. */
  move (entity, place, seconds) {
    const { velocity: v, friction, size } = entity
    let onGround = false
    for (const axis of AXES) {
      const wanted = v[axis] * seconds
      if (wanted === 0) continue
      const moved = this.reach(place, size, axis, wanted)
      place[axis] += moved
      if (moved === wanted) continue
      onGround ||= axis === 'y' && wanted < 0
      v[axis] = 0
    }
    if (onGround) {
      for (const axis of ['x', 'z']) v[axis] = Math.sign(v[axis]) * Math.max(0, Math.abs(v[axis]) - friction[axis] * seconds)
    }
    return onGround
  }

  /** How much of a move along one axis a box makes before it meets a block. */
  reach (place, size, axis, wanted) {
    const half = { x: size.x / 2, y: 0, z: size.z / 2 }
    const low = place.offset(-half.x + SKIN, SKIN, -half.z + SKIN)
    const high = place.offset(half.x - SKIN, size.y - SKIN, half.z - SKIN)
    const from = low.clone()
    const to = high.clone()
    ;(wanted < 0 ? from : to)[axis] += wanted
    from.y -= 1 // fences are higher than a block
    let free = wanted
    const at = place.clone()
    for (at.y = Math.floor(from.y); at.y <= to.y; at.y++) {
      for (at.x = Math.floor(from.x); at.x <= to.x; at.x++) {
        for (at.z = Math.floor(from.z); at.z <= to.z; at.z++) {
          for (const [x0, y0, z0, x1, y1, z1] of this.cells.getBlock(at)?.shapes ?? []) {
            const near = { x: at.x + x0, y: at.y + y0, z: at.z + z0 }
            const far = { x: at.x + x1, y: at.y + y1, z: at.z + z1 }
            if (AXES.some(other => other !== axis && (far[other] <= low[other] || near[other] >= high[other]))) continue
            const ahead = near[axis] - high[axis]
            const behind = far[axis] - low[axis]
            if (wanted > 0 && ahead >= -SKIN) free = Math.min(free, Math.max(0, ahead - SKIN))
            if (wanted < 0 && behind <= SKIN) free = Math.max(free, Math.min(0, behind + SKIN))
          }
        }
      }
    }
    return free
  }
}

module.exports = { Motion }
