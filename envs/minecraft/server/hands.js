'use strict'
/** Digging, hitting, using and placing, a tick at a time, by the packets that a player's client sends. */

const { blockInSight, entityInSight, REACH_ENTITY } = require('./aim.js')

const ACTIONS = ['none', 'attack', 'use', 'place']
const EVENTS = { dug: 1, placed: 2, hit: 4, opened: 8, collected: 16, used: 32 } // bits of what a tick brought about

// Ticks that the game's own client waits: from one block dug to the next, between right clicks; and for how long a mob that
// was hit cannot be hurt again.
const AFTER_DIG = 5
const AFTER_USE = 4
const AFTER_HIT = 10

const FACES = [[0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1], [-1, 0, 0], [1, 0, 0]]

class Hands {
  constructor (player) {
    this.player = player
    this.forget()
    this.rest()
    const { bot } = player
    bot.on('windowOpen', window => {
      this.events |= EVENTS.opened
      bot.closeWindow(window)
    })
    bot.on('entityDead', entity => { this.killed = entity.id })
    bot.on('playerCollect', (collector) => { if (collector === bot.entity) this.events |= EVENTS.collected })
  }

  /** A new tick: nothing has happened in it. */
  forget () {
    this.events = 0
    this.touched = null // the block that was dug, used, or put there
    this.struck = -1 // the entity that was hit
    this.killed = -1 // and the one that died
  }

  /** Lets go of everything. */
  rest () {
    this.digging = null // {position, face, progress}
    this.wait = { dig: 0, use: 0, hit: 0 }
  }

  act (action) {
    for (const name of Object.keys(this.wait)) if (this.wait[name] > 0) this.wait[name]--
    const kind = ACTIONS[action]
    if (kind !== 'attack') this.cancel()
    if (kind === 'attack') this.attack()
    else if (kind === 'use' || kind === 'place') this.use(kind)
  }

  others () {
    const { bot } = this.player
    return Object.values(bot.entities).filter(entity => entity !== bot.entity && entity.name !== 'item')
  }

  attack () {
    const { body, bot } = this.player
    const block = blockInSight(body)
    const entity = entityInSight(body, this.others(), Math.min(REACH_ENTITY, block?.distance ?? Infinity))
    if (entity) {
      this.cancel()
      if (this.wait.hit > 0) return
      this.player.send('use_entity', { target: entity.id, mouse: 1, sneaking: body.control.sneak })
      this.player.send('arm_animation', { hand: 0 })
      this.wait.hit = AFTER_HIT
      this.struck = entity.id
      this.events |= EVENTS.hit
    } else if (block && bot.game.gameMode !== 'adventure' && bot.game.gameMode !== 'spectator') {
      this.dig(block)
    } else {
      this.cancel()
    }
  }

  dig ({ position, state, face }) {
    if (this.digging && !this.digging.position.equals(position)) this.cancel()
    if (this.wait.dig > 0) return
    const { body, bot, held } = this.player
    const block = body.cells.block(state)
    const wet = body.cells.getBlock(body.eye)?.name === 'water'
    const creative = bot.game.gameMode === 'creative'
    const time = block.digTime(held?.type ?? null, creative, wet, !body.onGround, held?.enchants ?? [], {}) // ms
    if (!Number.isFinite(time) || (!block.diggable && !creative)) return this.cancel()
    if (!this.digging) {
      this.digging = { position, face, progress: 0 }
      this.player.send('block_dig', { status: 0, location: position, face })
      this.player.send('arm_animation', { hand: 0 })
    }
    this.digging.progress += time > 0 ? 1 / Math.ceil(time / 50) : 1
    if (this.digging.progress < 1 - 1e-9) return
    if (!creative) this.player.send('block_dig', { status: 2, location: position, face })
    bot._updateBlockState(position, 0) // the server tells everybody but the digger
    this.digging = null
    this.wait.dig = time > 0 || creative ? AFTER_DIG : 0
    this.touched = position
    this.events |= EVENTS.dug
  }

  cancel () {
    if (!this.digging) return
    const { position, face } = this.digging
    this.digging = null
    this.player.send('block_dig', { status: 1, location: position, face })
  }

  use (kind) {
    if (this.wait.use > 0) return
    const { body, held } = this.player
    const block = blockInSight(body)
    if (kind === 'use') {
      const entity = entityInSight(body, this.others(), Math.min(REACH_ENTITY, block?.distance ?? Infinity))
      if (entity) {
        this.player.send('use_entity', { target: entity.id, mouse: 0, hand: 0, sneaking: body.control.sneak })
        return this.used(EVENTS.used)
      }
      if (!block) {
        this.player.send('use_item', { hand: 0 })
        return this.used(EVENTS.used)
      }
    }
    if (!block) return
    const places = this.places(block, held)
    const container = /^(chest|ender_chest|.*shulker_box)$/.test(body.cells.block(block.state).name) && !body.control.sneak
    if (kind === 'place' && (!places || container)) return
    if (kind === 'use' && held && !container && !places && body.cells.block(block.state).boundingBox === 'block' &&
      this.isBlock(held)) return // there is no room for it
    const { position, face, point } = block
    this.player.send('block_place', {
      hand: 0,
      location: position,
      direction: face,
      cursorX: point.x - position.x,
      cursorY: point.y - position.y,
      cursorZ: point.z - position.z,
      insideBlock: false
    })
    this.player.send('arm_animation', { hand: 0 })
    this.touched = places && !container ? this.room(block) : position
    this.used(EVENTS.used | (places && !container ? EVENTS.placed : 0))
  }

  used (events) {
    this.wait.use = AFTER_USE
    this.events |= events
  }

  isBlock (item) {
    return this.player.bot.registry.blocksByName[item.name] !== undefined
  }

  /** Where a block would be put that is held against another. */
  room ({ position, state, face }) {
    const inside = this.player.body.cells.block(state).boundingBox === 'empty'
    return inside ? position : position.offset(...FACES[face])
  }

  /** Whether the held item is a block for which there is room: the server itself would put it anywhere. */
  places (block, held) {
    if (!held || !this.isBlock(held)) return false
    const { body, bot } = this.player
    const at = this.room(block)
    if (at.y < 0 || at.y > 255) return false
    const there = body.cells.stateAt(at.x, at.y, at.z)
    if (there < 0 || body.cells.block(there).boundingBox !== 'empty') return false
    if (bot.registry.blocksByName[held.name].boundingBox === 'empty') return true
    const bodies = [{ position: body.position, width: 0.6, height: 1.8 }, ...this.others()]
    return bodies.every(({ position: p, width, height }) => !(width > 0) ||
      p.x + width / 2 <= at.x || p.x - width / 2 >= at.x + 1 || p.y + height <= at.y || p.y >= at.y + 1 ||
      p.z + width / 2 <= at.z || p.z - width / 2 >= at.z + 1)
  }
}

module.exports = { Hands, ACTIONS, EVENTS }
