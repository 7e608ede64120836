'use strict'
/** What Minecraft 1.16.5 calls things, and errors for what it does not know. */

const { InputError } = require('../../remote/node/trunkline-remote.js')

const VERSION = '1.16.5'
const GAME_MODES = ['survival', 'creative', 'adventure', 'spectator']

function distance (a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

/** The error for a name that is not among `known`: the nearest one, and the list where it is short. */
function unknown (kind, name, known) {
  const text = String(name)
  const nearest = known.map(other => [distance(text, other), other]).sort((a, b) => a[0] - b[0])[0]
  const hint = nearest && nearest[0] <= Math.max(2, text.length / 2) ? `; did you mean '${nearest[1]}'?` : ''
  const list = known.length <= 20 ? `; known: ${known.join(', ')}` : ''
  return new InputError(`unknown ${kind} '${text}'${hint}${list}`)
}

/** Looks names up in a registry of minecraft-data. */
class Names {
  constructor (registry) {
    this.registry = registry
    this.maxState = registry.blocksArray.reduce((most, block) => Math.max(most, block.maxStateId), 0)
  }

  item (name) {
    const item = this.registry.itemsByName[name]
    if (!item) throw unknown('item', name, Object.keys(this.registry.itemsByName))
    return item
  }

  mob (name) {
    const entity = this.registry.entitiesByName[name]
    if (!entity || !this.registry.mobs[entity.id]) {
      throw unknown('mob', name, Object.values(this.registry.mobs).map(mob => mob.name))
    }
    return entity
  }

  gameMode (name) {
    const mode = GAME_MODES.indexOf(name)
    if (mode < 0) throw unknown('game mode', name, GAME_MODES)
    return mode
  }

  state (id) {
    if (!Number.isInteger(id) || id < 0 || id > this.maxState) {
      throw new InputError(`block state ${id} is not one of Minecraft ${VERSION}'s palette, 0 to ${this.maxState}`)
    }
    return id
  }

  /** Names of items and entities by number: what the observations' numbers mean. */
  tables () {
    const list = (array) => {
      const names = []
      for (const { id, name } of array) names[id] = name
      return Array.from(names, name => name ?? null)
    }
    return { items: list(this.registry.itemsArray), entities: list(this.registry.entitiesArray) }
  }
}

module.exports = { Names, unknown, VERSION, GAME_MODES }
