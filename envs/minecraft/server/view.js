'use strict'
/** The blocks that a player's own copy of the world holds, read without an object per block. */

const SECTION = 4096
const CUBE = [[0, 0, 0, 1, 1, 1]]

/** Block states by coordinates, from a prismarine-world; remembers the column last asked for. */
class View {
  constructor (world) {
    this.world = world
    this.forget()
    world.on('chunkColumnLoad', () => this.forget())
    world.on('chunkColumnUnload', () => this.forget())
  }

  forget () {
    this.x = NaN
    this.z = NaN
    this.column = null
  }

  columnAt (chunkX, chunkZ) {
    if (chunkX !== this.x || chunkZ !== this.z) {
      this.x = chunkX
      this.z = chunkZ
      this.column = this.world.getColumn(chunkX, chunkZ) ?? null
    }
    return this.column
  }

  /** The state at integer coordinates; 0 (air) above and below the world, −1 where nothing is loaded. */
  stateAt (x, y, z) {
    const column = this.columnAt(x >> 4, z >> 4)
    if (column === null) return -1
    const section = column.sections[y >> 4]
    if (!section) return 0
    const value = section.data.get(((y & 15) << 8) | ((z & 15) << 4) | (x & 15))
    return section.palette === null ? value : section.palette[value]
  }
}

/**
 * Blocks as prismarine-physics wants them: one object a state, moved to where it was asked for. Physics looks at a block
 * before it asks for the next of the same state, except at water, of which it collects several: those are copies.
 */
class Cells {
  /**
   * @param {(x: number, y: number, z: number) => number} stateAt −1 where nothing is known.
   * @param {Map<number, number[][]>} outlines of blocks that nothing collides with.
   */
  constructor (registry, stateAt, outlines = new Map()) {
    this.outlines = outlines
    this.Block = require('prismarine-block')(registry)
    this.Vec3 = require('vec3').Vec3
    this.stateAt = stateAt
    this.known = []
  }

  block (state) {
    let block = this.known[state]
    if (block === undefined) {
      block = this.Block.fromStateId(state, 0)
      block.position = new this.Vec3(0, 0, 0)
      block.shared = block.shapes.length > 0 && !block.isWaterlogged
      this.known[state] = block
    }
    return block
  }

  /** The boxes of a block that a crosshair meets. */
  outline (state) {
    const { shapes } = this.block(state)
    return shapes.length > 0 ? shapes : this.outlines.get(state) ?? CUBE
  }

  getBlock (position) {
    const x = Math.floor(position.x)
    const y = Math.floor(position.y)
    const z = Math.floor(position.z)
    const state = this.stateAt(x, y, z)
    if (state < 0) return null
    let block = this.block(state)
    if (state !== 0 && !block.shared) {
      block = Object.assign(Object.create(Object.getPrototypeOf(block)), block)
      block.position = new this.Vec3(x, y, z)
    } else {
      block.position.set(x, y, z)
    }
    return block
  }
}

module.exports = { View, Cells, SECTION }
