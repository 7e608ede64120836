'use strict'
/** Columns of blocks: the server's own generators, and arrays of block states laid over them. */

const { generations } = require('flying-squid')
const { InputError } = require('../../remote/node/trunkline-remote.js')
const { SECTION } = require('./view.js')
const { unknown } = require('./names.js')

const GENERATORS = ['superflat', 'diamond_square', 'blocks']
const HEIGHT = 256
const ABOVE = 8 // blocks that a fence stands higher than its array, so that nobody jumps over

/** A cuboid of block states with its lowest corner at `origin`; with a fence, invisible barriers stand around its sides. */
class Cuboid {
  constructor (blocks, origin, fence) {
    this.states = blocks
    ;[this.nx, this.ny, this.nz] = blocks.shape
    ;[this.x, this.y, this.z] = origin
    this.fence = fence ? 1 : 0
  }

  touches (chunkX, chunkZ) {
    const [x, z] = [chunkX * 16, chunkZ * 16]
    return x < this.x + this.nx + this.fence && x + 16 > this.x - this.fence &&
      z < this.z + this.nz + this.fence && z + 16 > this.z - this.fence
  }

  * chunks () {
    for (let x = (this.x - this.fence) >> 4; x <= (this.x + this.nx - 1 + this.fence) >> 4; x++) {
      for (let z = (this.z - this.fence) >> 4; z <= (this.z + this.nz - 1 + this.fence) >> 4; z++) yield [x, z]
    }
  }

  /** Writes its part of a column into states indexed (y, z, x). */
  write (column, chunkX, chunkZ, barrier) {
    for (let i = 0; i < 16; i++) {
      const x = chunkX * 16 + i - this.x
      if (x < -this.fence || x >= this.nx + this.fence) continue
      for (let k = 0; k < 16; k++) {
        const z = chunkZ * 16 + k - this.z
        if (z < -this.fence || z >= this.nz + this.fence) continue
        const inside = x >= 0 && x < this.nx && z >= 0 && z < this.nz
        const top = inside ? this.ny : Math.min(this.ny + ABOVE, HEIGHT - this.y)
        for (let y = 0; y < top; y++) {
          column[((y + this.y) << 8) | (k << 4) | i] = inside ? this.states[(x * this.ny + y) * this.nz + z] : barrier
        }
      }
    }
  }
}

class Terrain {
  constructor (registry, names, { name, seed }) {
    if (!GENERATORS.includes(name)) throw unknown('generator', name, GENERATORS)
    this.registry = registry
    this.names = names
    this.Chunk = require('prismarine-chunk')(registry)
    this.maxBitsPerBlock = new this.Chunk().maxBitsPerBlock
    this.Section = this.Chunk.section
    this.Bits = new this.Section({}).data.constructor
    this.barrier = registry.blocksByName.barrier.defaultState
    this.cuboids = new Map()
    const options = { seed, registry, version: registry.version.minecraftVersion, worldHeight: 80 }
    this.generate = name === 'blocks' ? null : generations[name](options)
    this.flat = name === 'superflat' ? this.read(this.generate(0, 0)) : null // the same everywhere, and slow to make
    this.packed = this.flat ? this.pack(this.flat) : null
  }

  /** Lays an array over the world under a name; returns the chunks that change: its own, and the last one's of that name. */
  lay (key, { blocks, origin, fence = true }) {
    if (!(blocks instanceof Uint16Array) || blocks.shape?.length !== 3) {
      throw new InputError('terrain blocks are not a uint16 array (nx, ny, nz) of palette ids')
    }
    if (!Array.isArray(origin) || origin.length !== 3 || !origin.every(Number.isInteger)) {
      throw new InputError(`terrain origin ${JSON.stringify(origin)} is not three whole numbers`)
    }
    const top = origin[1] + blocks.shape[1]
    if (origin[1] < 0 || top > HEIGHT) {
      throw new InputError(`terrain from y ${origin[1]} to ${top} is outside the world; it is 0 to ${HEIGHT}`)
    }
    for (const state of blocks) if (state > this.names.maxState) this.names.state(state)
    const changed = new Map()
    const cuboid = new Cuboid(blocks, origin, fence)
    for (const other of [this.cuboids.get(key), cuboid]) {
      for (const [x, z] of other?.chunks() ?? []) changed.set(`${x},${z}`, [x, z])
    }
    this.cuboids.delete(key) // the last laid is uppermost
    this.cuboids.set(key, cuboid)
    return [...changed.values()]
  }

  /** The column of a chunk as it was made, without anybody's edits. */
  column (chunkX, chunkZ) {
    const cuboids = [...this.cuboids.values()].filter(cuboid => cuboid.touches(chunkX, chunkZ))
    if (this.packed && cuboids.length === 0) return this.chunk(this.packed.map(section => section && this.copy(section)))
    const states = this.flat?.slice() ??
      (this.generate ? this.read(this.generate(chunkX, chunkZ)) : new Uint16Array(16 * SECTION))
    for (const cuboid of cuboids) cuboid.write(states, chunkX, chunkZ, this.barrier)
    return this.chunk(this.pack(states))
  }

  chunk (sections) {
    const chunk = new this.Chunk()
    chunk.sections = sections
    chunk.sectionMask = sections.reduce((mask, section, index) => section ? mask | 1 << index : mask, 0)
    return chunk
  }

  pack (states) {
    return Array.from({ length: 16 }, (_, index) => this.section(states.subarray(index * SECTION, (index + 1) * SECTION)))
  }

  copy ({ data, palette, solidBlockCount, maxBitsPerBlock }) {
    const { bitsPerValue, data: words } = data
    const bits = new this.Bits({ bitsPerValue, capacity: SECTION, data: words })
    return new this.Section({ data: bits, palette: palette?.slice() ?? null, solidBlockCount, maxBitsPerBlock })
  }

  /** States of a chunk, indexed (y, z, x). Its light is left out: nothing here is drawn by it. */
  read (chunk) {
    const states = new Uint16Array(16 * SECTION)
    chunk.sections.forEach((section, index) => {
      if (!section) return
      for (let cell = 0; cell < SECTION; cell++) {
        const value = section.data.get(cell)
        states[index * SECTION + cell] = section.palette === null ? value : section.palette[value]
      }
    })
    return states
  }

  /** A section of 4096 states, or null if all are air. */
  section (states) {
    const palette = [0]
    const places = new Map([[0, 0]])
    let solid = 0
    let last = 0
    for (const state of states) {
      if (state !== 0) solid++
      if (state === last) continue
      last = state
      if (!places.has(state)) {
        places.set(state, palette.length)
        palette.push(state)
      }
    }
    if (solid === 0) return null
    const { maxBitsPerBlock } = this
    const needed = Math.max(4, Math.ceil(Math.log2(palette.length)))
    const local = needed <= 8 // more are written without a palette
    const data = new this.Bits({ bitsPerValue: local ? needed : maxBitsPerBlock, capacity: SECTION })
    states.forEach((state, cell) => { if (state !== 0) data.set(cell, local ? places.get(state) : state) })
    return new this.Section({ data, palette: local ? palette : null, solidBlockCount: solid, maxBitsPerBlock })
  }
}

module.exports = { Terrain, GENERATORS }
