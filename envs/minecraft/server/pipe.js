'use strict'
/** Connections within one process: two streams, where what is written to one is read from the other. */

const { Duplex } = require('node:stream')

class End extends Duplex {
  constructor () {
    super({ allowHalfOpen: false })
    this.held = []
  }

  /** Hands over once the present call has ended: whatever is written in one go arrives in one piece. */
  _write (chunk, encoding, done) {
    if (this.held.push(chunk) === 1) process.nextTick(() => this.hand())
    done()
  }

  hand () {
    const { held, other } = this
    this.held = []
    if (!other.destroyed && held.length > 0) other.push(held.length === 1 ? held[0] : Buffer.concat(held))
  }

  _read () {}

  _final (done) {
    this.hand()
    if (!this.other.destroyed) this.other.push(null)
    done()
  }
}

/** @returns {[Duplex, Duplex]} */
function pipe () {
  const ends = [new End(), new End()]
  ends[0].other = ends[1]
  ends[1].other = ends[0]
  return ends
}

/**
 * Cuts a stream of bytes into packets: each is a varint length and so many bytes. Takes the place of minecraft-protocol's
 * own, which ends every piece by throwing and catching an error, a quarter of all the time.
 * @param {Client} client of minecraft-protocol.
 */
function split (client) {
  let rest = null
  client.splitter._transform = function (chunk, encoding, done) {
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    while (start < bytes.length) {
      let length = 0
      let at = start
      let shift = 0
      do {
        length |= (bytes[at] & 0x7f) << shift
        shift += 7
      } while (bytes[at++] & 0x80 && at < bytes.length)
      if (bytes[at - 1] & 0x80 || at + length > bytes.length) break // the rest is yet to come
      this.push(bytes.subarray(at, at + length))
      start = at + length
    }
    rest = start < bytes.length ? bytes.subarray(start) : null
    done()
  }
}

module.exports = { pipe, split }
