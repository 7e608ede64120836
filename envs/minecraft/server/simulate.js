'use strict'
/** mineflayer's physics (prismarine-physics) over an array of blocks, without a server. */

const { InputError, nd } = require('../../remote/node/trunkline-remote.js')
const { Body } = require('./body.js')
const { Names, VERSION } = require('./names.js')
const { Cells } = require('./view.js')

let tools // registry and names; loaded once

/**
 * Walks one player through blocks (nx, ny, nz) with their corner at 0; beyond the sides is barrier, below bedrock, above air.
 *
 * @param {{blocks: Uint16Array, pose: number[], controls: Uint8Array, look?: Float64Array}} args palette ids; x y z yaw
 *   pitch; control bytes (T,) of `CONTROLS`; yaw and pitch (T, 2) before each tick, else the pose's.
 * @returns {{pose: Float64Array, velocity: Float64Array, on_ground: Uint8Array}} (T, 5), (T, 3), (T,) after each tick.
 */
function simulate ({ blocks, pose, velocity = [0, 0, 0], on_ground: onGround = false, controls, look }) {
  if (blocks?.shape?.length !== 3) throw new InputError('blocks is not an array (nx, ny, nz) of palette ids')
  if (pose?.length !== 5) throw new InputError('pose is not [x, y, z, yaw, pitch]')
  const steps = controls?.length
  if (!(controls instanceof Uint8Array)) throw new InputError('controls are not a uint8 array (T,)')
  if (look && look.length !== 2 * steps) throw new InputError(`look is not an array (${steps}, 2)`)
  const registry = require('prismarine-registry')(VERSION)
  const { barrier, bedrock } = registry.blocksByName
  tools ??= { names: new Names(registry), barrier: barrier.defaultState, bedrock: bedrock.defaultState }
  for (const state of blocks) if (state > tools.names.maxState) tools.names.state(state)
  const [nx, ny, nz] = blocks.shape
  const stateAt = (x, y, z) => {
    if (y < 0) return tools.bedrock
    if (x < 0 || x >= nx || z < 0 || z >= nz) return tools.barrier
    return y >= ny ? 0 : blocks[(x * ny + y) * nz + z]
  }
  const body = new Body(registry, new Cells(registry, stateAt))
  body.place(...pose.slice(0, 3))
  body.velocity.set(...velocity)
  body.state.onGround = Boolean(onGround)
  body.look(pose[3], pose[4])
  const answer = {
    pose: nd(new Float64Array(steps * 5), [steps, 5]),
    velocity: nd(new Float64Array(steps * 3), [steps, 3]),
    on_ground: new Uint8Array(steps)
  }
  for (let step = 0; step < steps; step++) {
    if (look) body.look(look[2 * step], look[2 * step + 1])
    body.move(controls[step])
    const { position: p, velocity: v } = body
    answer.pose.set([p.x, p.y, p.z, body.yaw, body.pitch], step * 5)
    answer.velocity.set([v.x, v.y, v.z], step * 3)
    answer.on_ground[step] = body.onGround ? 1 : 0
  }
  return answer
}

module.exports = { simulate }
