'use strict'
/** A player's body: where it is, how it moves, and what it looks at. One call to `move` is one tick. */

const { Physics, PlayerState } = require('prismarine-physics')

const EYE = 1.62
const EYE_SNEAKING = 1.27
const DEGREE = Math.PI / 180
const CONTROLS = ['forward', 'back', 'left', 'right', 'jump', 'sneak', 'sprint'] // bit i of a control byte

/** The bits of a control byte. Like the game's own client, one sprints only forward and standing up. */
function setControls (control, bits) {
  CONTROLS.forEach((name, bit) => { control[name] = (bits >> bit & 1) === 1 })
  control.sprint &&= control.forward && !control.back && !control.sneak
}

class Body {
  /** @param {Cells} cells blocks of the world that it moves in. */
  constructor (registry, cells) {
    this.cells = cells
    this.physics = Physics(registry, cells)
    const nobody = { // what PlayerState reads of a bot
      version: registry.version.minecraftVersion,
      jumpTicks: 0,
      jumpQueued: false,
      fireworkRocketDuration: 0,
      inventory: { slots: [] },
      entity: {
        position: new cells.Vec3(0, 0, 0), velocity: new cells.Vec3(0, 0, 0), onGround: false, isInWater: false,
        isInLava: false, isInWeb: false, isCollidedHorizontally: false, isCollidedVertically: false, elytraFlying: false,
        yaw: 0, pitch: 0, effects: {}, attributes: undefined
      }
    }
    this.state = new PlayerState(nobody, Object.fromEntries(CONTROLS.map(name => [name, false])))
    this.yaw = 0 // degrees, 0 to +z (south), 90 to −x (west)
    this.pitch = 0 // degrees, positive down
  }

  get position () { return this.state.pos }
  get velocity () { return this.state.vel } // blocks a tick
  get onGround () { return this.state.onGround }
  get control () { return this.state.control }

  get eye () {
    return this.position.offset(0, this.control.sneak ? EYE_SNEAKING : EYE, 0)
  }

  /** Puts it somewhere at rest, all controls let go. */
  place (x, y, z) {
    setControls(this.control, 0)
    this.position.set(x, y, z)
    this.velocity.set(0, 0, 0)
    this.state.onGround = false
    this.state.jumpTicks = 0
    this.state.isInWeb = false
  }

  look (yaw, pitch) {
    this.yaw = yaw - 360 * Math.floor((yaw + 180) / 360) // [−180, 180)
    this.pitch = Math.min(90, Math.max(-90, pitch))
    this.state.yaw = Math.PI - this.yaw * DEGREE // physics turns the other way, from north
    this.state.pitch = -this.pitch * DEGREE
  }

  /** The direction of sight, a unit vector. */
  sight () {
    const flat = Math.cos(this.pitch * DEGREE)
    return new this.cells.Vec3(
      -Math.sin(this.yaw * DEGREE) * flat, -Math.sin(this.pitch * DEGREE), Math.cos(this.yaw * DEGREE) * flat)
  }

  /** One tick; where the blocks are not loaded it stays. */
  move (bits) {
    setControls(this.control, bits)
    if (this.cells.getBlock(this.position) !== null) this.physics.simulatePlayer(this.state, this.cells)
  }
}

module.exports = { Body, CONTROLS, EYE, EYE_SNEAKING }
