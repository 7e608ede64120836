'use strict'
/** A cube of block states around a player that moves with it. */

/**
 * Keeps a window of n³ palette ids up to date in place. A player moves less than a block a tick, so most ticks change
 * nothing, and a step to the next block shifts the array and fills one plane.
 */
class Window {
  /**
   * @param {View} view what the player knows.
   * @param {number} size blocks along each side.
   * @param {Uint16Array} cells size³ states, x slowest and z fastest, written in place.
   */
  constructor (view, size, cells) {
    this.view = view
    this.size = size
    this.cells = cells
    this.origin = [0, 0, 0]
    this.stale = true // the whole of it is to be read again
    this.changed = true // since it was last sent
    view.world.on('blockUpdate', (before, after) => this.set(after.position, after.stateId))
    for (const event of ['chunkColumnLoad', 'chunkColumnUnload']) {
      view.world.on(event, (corner) => { this.stale ||= this.overlaps(corner) })
    }
  }

  overlaps (corner) {
    const [x, , z] = this.origin
    return corner.x < x + this.size && corner.x + 16 > x && corner.z < z + this.size && corner.z + 16 > z
  }

  set (position, state) {
    const n = this.size
    const i = position.x - this.origin[0]
    const j = position.y - this.origin[1]
    const k = position.z - this.origin[2]
    if (i < 0 || i >= n || j < 0 || j >= n || k < 0 || k >= n) return
    this.cells[(i * n + j) * n + k] = state
    this.changed = true
  }

  /** Moves so that the block at `position` has the index (size/2, size/2, size/2). */
  follow (position) {
    const half = this.size >> 1
    const shifts = [position.x, position.y, position.z].map((c, axis) => Math.floor(c) - half - this.origin[axis])
    if (this.stale || shifts.some(shift => Math.abs(shift) > 1)) {
      this.origin = this.origin.map((c, axis) => c + shifts[axis])
      this.fill(0, this.size, 0, this.size, 0, this.size)
      this.stale = false
    } else {
      shifts.forEach((shift, axis) => { if (shift !== 0) this.shift(axis, shift) })
    }
  }

  shift (axis, by) {
    const n = this.size
    const stride = axis === 0 ? n * n : axis === 1 ? n : 1
    if (by > 0) this.cells.copyWithin(0, stride)
    else this.cells.copyWithin(stride, 0)
    this.origin[axis] += by
    const range = [0, n, 0, n, 0, n]
    range[2 * axis] = by > 0 ? n - 1 : 0
    range[2 * axis + 1] = by > 0 ? n : 1
    this.fill(...range)
  }

  fill (i0, i1, j0, j1, k0, k1) {
    const n = this.size
    this.changed = true
    const [x, y, z] = this.origin
    for (let i = i0; i < i1; i++) {
      for (let k = k0; k < k1; k++) {
        for (let j = j0; j < j1; j++) {
          this.cells[(i * n + j) * n + k] = Math.max(0, this.view.stateAt(x + i, y + j, z + k))
        }
      }
    }
  }
}

module.exports = { Window }
