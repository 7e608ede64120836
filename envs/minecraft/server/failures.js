'use strict'
/** Errors that the game raises outside any call: the call that is under way, or the next, fails with them. */

class Failures {
  constructor () {
    this.first = null
    this.interrupt = null
  }

  raise (error) {
    this.first ??= error instanceof Error ? error : new Error(String(error))
    this.interrupt?.(this.error())
  }

  error () {
    return new Error(`the game failed: ${this.first.stack}`)
  }

  /** What `work` resolves to; rejects as soon as something was raised. */
  async guard (work) {
    if (this.first) throw this.error()
    try {
      return await Promise.race([work(), new Promise((resolve, reject) => { this.interrupt = reject })])
    } finally {
      this.interrupt = null
    }
  }
}

module.exports = { failures: new Failures() }
