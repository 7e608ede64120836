'use strict'
/** One player: a mineflayer client whose body, hands and eyes are moved by hand. */

const { once } = require('node:events')
const mineflayer = require('mineflayer')
const { Body } = require('./body.js')
const { settle } = require('./clock.js')
const { failures } = require('./failures.js')
const { Hands } = require('./hands.js')
const { VERSION } = require('./names.js')
const { split } = require('./pipe.js')
const { Cells, View } = require('./view.js')
const { Window } = require('./voxels.js')

// The parts of mineflayer that keep a copy of the world. Its physics runs by the clock on the wall, so ours takes its place.
const PARTS = ['blocks', 'entities', 'game', 'health', 'inventory', 'kick', 'settings', 'simple_inventory']
const NEVER = 2 ** 31 - 1 // ms

class Player {
  /** Joins the game and waits until the player stands in it. */
  static async join (game, username, size, cells) {
    const stream = game.connect()
    const bot = mineflayer.createBot({
      username,
      version: VERSION,
      auth: 'offline',
      loadInternalPlugins: false,
      plugins: Object.fromEntries(PARTS.map(name => [name, true])),
      viewDistance: 'tiny',
      respawn: false,
      hideErrors: true,
      logErrors: false,
      checkTimeoutInterval: NEVER,
      connect: client => {
        split(client)
        client.setSocket(stream)
      }
    })
    const player = new Player(game, bot)
    bot.on('error', error => failures.raise(error))
    bot.on('end', reason => failures.raise(new Error(`${username} lost its connection: ${reason}`)))
    bot.once('inject_allowed', () => setImmediate(() => bot._client.emit('connect')))
    bot._client.on('position', packet => player.teleported(packet))
    await once(bot, 'spawn')
    player.embody(size, cells)
    bot._client.write('flying', { onGround: false }) // the server waits for a sign of life
    await settle()
    player.server = game.player(username)
    return player
  }

  constructor (game, bot) {
    this.game = game
    this.bot = bot
    this.body = null
    this.spawn = null
    this.told = { sneak: false, sprint: false }
    bot.on('entityDead', entity => { delete bot.entities[entity.id] }) // the server forgets to
  }

  embody (size, cells) {
    const { bot } = this
    this.view = new View(bot.world)
    this.cells = new Cells(bot.registry, (x, y, z) => this.view.stateAt(x, y, z), this.game.outlines)
    this.body = new Body(bot.registry, this.cells)
    this.hands = new Hands(this)
    this.window = size > 0 ? new Window(this.view, size, cells) : null
    this.teleported(this.spawn)
  }

  teleported ({ x, y, z, teleportId }) {
    this.spawn = { x, y, z, teleportId }
    this.bot._client.write('teleport_confirm', { teleportId })
    if (!this.body) return
    this.body.place(x, y, z)
    this.mirror()
  }

  /** Mineflayer's idea of this player follows the body. */
  mirror () {
    const { bot, body } = this
    if (!bot.entity) return
    bot.entity.position.update(body.position)
    bot.entity.velocity.update(body.velocity)
    bot.entity.onGround = body.onGround
  }

  send (name, packet) {
    this.bot._client.write(name, packet)
  }

  /** Tells the server where this player is and looks. */
  report () {
    const { body } = this
    const { x, y, z } = body.position
    this.send('position_look', { x, y, z, yaw: body.yaw, pitch: body.pitch, onGround: body.onGround })
    this.mirror()
  }

  /** Does what one tick's control says. */
  act (bits, yaw, pitch, action, slot) {
    const { body } = this
    if (slot >= 0) this.hold(slot)
    body.look(yaw, pitch)
    this.hands.act(action)
    body.move(bits)
    this.tell('sneak', 0, 1)
    this.tell('sprint', 3, 4)
    this.report()
  }

  /** Begins or ends something that others can see. */
  tell (control, begin, end) {
    const now = this.body.control[control]
    if (now === this.told[control]) return
    this.told[control] = now
    this.send('entity_action', { entityId: this.bot.entity.id, actionId: now ? begin : end, jumpBoost: 0 })
  }

  hold (slot) {
    if (slot !== this.bot.quickBarSlot) this.bot.setQuickBarSlot(slot)
  }

  get held () {
    return this.bot.inventory.slots[36 + this.bot.quickBarSlot] ?? null
  }
}

module.exports = { Player }
