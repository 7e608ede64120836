'use strict'
/** What is under the crosshair. */

const { iterators: { RaycastIterator } } = require('prismarine-world')

const REACH = 4.5 // blocks
const REACH_ENTITY = 3

/** The first block whose outline the ray meets, or null: {position, state, face, point, distance}. */
function blockInSight (body, reach = REACH) {
  const eye = body.eye
  const direction = body.sight()
  for (const axis of ['x', 'y', 'z']) direction[axis] ||= 1e-12 // the iterator divides by it
  const ray = new RaycastIterator(eye, direction, reach)
  for (let at = eye.floored(); at; at = ray.next()) {
    const state = body.cells.stateAt(at.x, at.y, at.z)
    if (state <= 0) continue
    const { name } = body.cells.block(state)
    if (name === 'water' || name === 'lava') continue
    const position = new body.cells.Vec3(at.x, at.y, at.z)
    const hit = ray.intersect(body.cells.outline(state), position)
    const distance = hit ? hit.pos.minus(eye).dot(direction) : -1 // behind the eye where it is within the block
    if (distance >= 0 && distance <= reach) return { position, state, face: hit.face, point: hit.pos, distance }
  }
  return null
}

/** Distance at which a ray meets a box (slab test), or Infinity. */
function meets (origin, direction, low, high) {
  let near = 0
  let far = Infinity
  for (const axis of ['x', 'y', 'z']) {
    const a = (low[axis] - origin[axis]) / direction[axis]
    const b = (high[axis] - origin[axis]) / direction[axis]
    if (Number.isNaN(a) || Number.isNaN(b)) continue // parallel to the slab and on its face
    near = Math.max(near, Math.min(a, b))
    far = Math.min(far, Math.max(a, b))
  }
  return near <= far ? near : Infinity
}

/** The nearest of `entities` (with position, width, height) in sight and nearer than `limit` blocks, or null. */
function entityInSight (body, entities, limit = REACH_ENTITY) {
  const eye = body.eye
  const direction = body.sight()
  let best = null
  let nearest = limit
  for (const entity of entities) {
    const { position, width, height } = entity
    if (!(width > 0) || position.distanceTo(eye) > REACH_ENTITY + height + width) continue
    const low = position.offset(-width / 2, 0, -width / 2)
    const far = meets(eye, direction, low, position.offset(width / 2, height, width / 2))
    if (far < nearest) {
      nearest = far
      best = entity
    }
  }
  return best
}

module.exports = { blockInSight, entityInSight, REACH, REACH_ENTITY }
