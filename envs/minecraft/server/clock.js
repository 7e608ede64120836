'use strict'
/**
 * Time that only steps move. Nothing that the server does on its own may depend on how long a step took, or two runs
 * of the same actions would differ.
 */

const SHORTEST = 1000 // ms; keep-alives are rarer, and they touch no state of the game

/**
 * Keeps intervals shorter than a second from ever firing: the server redraws cracks in a block every 100 ms of wall-clock,
 * and never stops doing so where two players dig the same block.
 */
function stillIntervals () {
  const real = globalThis.setInterval
  globalThis.setInterval = (callback, delay, ...rest) => delay < SHORTEST ? null : real(callback, delay, ...rest)
}

/**
 * Waits until server and players have nothing left to say. Both ends of every connection are in this process and hand over
 * in microtasks, which all run before the next turn of the event loop.
 */
function settle () {
  return new Promise(resolve => setImmediate(resolve))
}

/**
 * Drops can be picked up, and vanish, after so many ticks rather than milliseconds of wall-clock: the server compares
 * `Date.now() - bornTime` with these two properties, so they hold minus infinity once the time has come, undefined before.
 */
function ageByTicks (entity, now) {
  const born = now()
  for (const name of ['pickupTime', 'deathTime']) {
    let after
    Object.defineProperty(entity, name, {
      get: () => after !== undefined && (now() - born) * 50 >= after ? -Infinity : undefined,
      set: (milliseconds) => { after = milliseconds }
    })
  }
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
function generator (seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

module.exports = { stillIntervals, settle, ageByTicks, generator }
