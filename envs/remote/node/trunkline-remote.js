'use strict'
/**
 * Serves methods to trunkline over a unix socket: the Node side of the process bridge (trunkline.envs.remote).
 *
 *   const { serve, nd, InputError } = require('./trunkline-remote.js')
 *   serve({
 *     add: async ({ a, b }) => a + b,
 *     voxels: async ({ x }) => nd(new Uint8Array(27), [3, 3, 3]),
 *   }, { name: 'example', version: '1.0.0' })
 *
 * The process is started with `--socket PATH` among its arguments; it connects there, says hello first, and answers calls
 * one at a time in the order they come. It ends when the socket does, so it never outlives its client.
 *
 * A frame is a 4-byte big-endian length and a msgpack map:
 *   {type: 'hello', protocol: 1, server, version}      server → client, then {type: 'hello', protocol: 1} back
 *   {type: 'call', id, method, args}                    client → server
 *   {type: 'result', id, value} | {type: 'error', id, message, kind}
 * Arrays travel as {__nd__: 1, dtype: '<f4', shape, data} (dtype as NumPy writes it, data in C order). A method gets them as
 * typed arrays with a `shape` and a `dtype`, and may return typed arrays: with a shape given by `nd`, else of one dimension.
 *
 * The only dependency is msgpackr. It is looked for beside this file, then beside the main script, then in the working
 * directory, because this file is installed with the Python package and node_modules is not.
 */

const net = require('node:net')
const path = require('node:path')

const PROTOCOL = 1
const MAX_FRAME = 64 * 1024 * 1024
const HEADER = 4

const DTYPES = new Map([
  [Uint8Array, '|u1'], [Uint8ClampedArray, '|u1'], [Int8Array, '|i1'], [Uint16Array, '<u2'], [Int16Array, '<i2'],
  [Uint32Array, '<u4'], [Int32Array, '<i4'], [BigUint64Array, '<u8'], [BigInt64Array, '<i8'],
  [Float32Array, '<f4'], [Float64Array, '<f8']
])
// Booleans and half floats have no typed array of their own in Node 20: they keep their bytes and their `dtype`.
const ARRAYS = new Map([
  ...[...DTYPES].filter(([type]) => type !== Uint8ClampedArray).map(([type, dtype]) => [dtype, type]),
  ['|b1', Uint8Array], ['<f2', Uint16Array]
])

/** A mistake of the caller's: it arrives in Python as trunkline.errors.InputError. */
class InputError extends Error {
  constructor (message) {
    super(message)
    this.name = 'InputError'
  }
}

/**
 * Gives a typed array a shape (and, for booleans '|b1' and half floats '<f2', a dtype) to be sent with.
 * @returns {ArrayBufferView} the same array.
 */
function nd (array, shape, dtype = undefined) {
  const known = dtype ?? dtypeOf(array)
  const type = ARRAYS.get(known)
  if (type === undefined || array.BYTES_PER_ELEMENT !== type.BYTES_PER_ELEMENT) {
    throw new TypeError(`${array.constructor.name} cannot be sent as ${known}; known: ${[...ARRAYS.keys()].join(', ')}`)
  }
  const count = shape.reduce((product, n) => product * n, 1)
  if (count !== array.length) throw new RangeError(`${array.length} values do not have the shape [${shape}]`)
  Object.defineProperty(array, 'shape', { value: shape, configurable: true, writable: true })
  Object.defineProperty(array, 'dtype', { value: known, configurable: true, writable: true })
  return array
}

function dtypeOf (array) {
  for (let type = array.constructor; type; type = Object.getPrototypeOf(type)) { // a Buffer is a kind of Uint8Array
    if (DTYPES.has(type)) return DTYPES.get(type)
  }
  throw new TypeError(`${array.constructor.name} cannot be sent; known: ${[...DTYPES.keys()].map(t => t.name).join(', ')}`)
}

/** What msgpack can hold for a value: typed arrays become maps, safe integers beyond 32 bits stay integers. */
function encode (value) {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && (value > 0xffffffff || value < -0x80000000) ? BigInt(value) : value
  }
  if (value === undefined || value === null) return null
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(encode)
  if (ArrayBuffer.isView(value)) {
    if (Buffer.isBuffer(value) && value.shape === undefined) return value
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return { __nd__: 1, dtype: value.dtype ?? dtypeOf(value), shape: value.shape ?? [value.length], data: bytes }
  }
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(entries.filter(([, v]) => v !== undefined).map(([k, v]) => [k, encode(v)]))
}

function decode (value) {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.map(decode)
  if (value.__nd__ === 1) {
    const { dtype, shape, data } = value
    const Type = ARRAYS.get(dtype)
    if (Type === undefined) throw new InputError(`array of dtype ${dtype}; known: ${[...ARRAYS.keys()].join(', ')}`)
    const count = shape.reduce((product, n) => product * n, 1)
    if (data.byteLength !== count * Type.BYTES_PER_ELEMENT) {
      throw new InputError(`array ${dtype} of shape [${shape}] holds ${data.byteLength} bytes`)
    }
    // A copy: a frame's bytes need not lie where the type may be read.
    return nd(new Type(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)), shape, dtype)
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v)]))
}

function loadMsgpackr (name) {
  const places = [__dirname, require.main && path.dirname(require.main.filename), process.cwd()].filter(Boolean)
  let found
  try {
    found = require.resolve('msgpackr', { paths: places })
  } catch {
    process.stderr.write(`${name}: msgpackr is not installed in ${places.join(', ')} or above; run: npm install msgpackr\n`)
    process.exit(1)
  }
  return require(found)
}

function socketPath (argv) {
  const at = argv.indexOf('--socket')
  if (at < 0 || at + 1 >= argv.length) throw new Error('no --socket PATH among the arguments; trunkline starts this process')
  return argv[at + 1]
}

/**
 * Connects to the client and serves until the connection ends, then exits the process.
 *
 * @param {Object<string, (args: Object) => any>} methods what can be called, sync or async, by name. A result that rejects or
 *   throws is answered as an error with the exception's name as its kind; the server goes on.
 * @param {{name: string, version: string, maxFrame?: number, onClose?: () => any}} options said in the hello; the limit of a
 *   frame in bytes; what to do before the process exits.
 * @returns {import('node:net').Socket}
 */
function serve (methods, { name, version, maxFrame = MAX_FRAME, onClose = undefined }) {
  const { Packr } = loadMsgpackr(name)
  const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'auto', variableMapSize: true })
  const socket = net.connect(socketPath(process.argv))
  let greeted = false
  let ending = false
  let queue = Promise.resolve()
  let chunks = []
  let held = 0 // bytes in `chunks`
  let wanted = -1 // length of the frame that is arriving; −1 while its header is

  async function end (code, reason = undefined) {
    if (ending) return
    ending = true
    if (reason) process.stderr.write(`${name}: ${reason}\n`)
    socket.destroy()
    try {
      if (onClose) await onClose()
    } finally {
      process.exit(code)
    }
  }

  function send (message) {
    const body = packr.pack(message)
    if (body.length > maxFrame) {
      throw new RangeError(`an answer of ${body.length} bytes is over the limit of ${maxFrame}`)
    }
    const header = Buffer.allocUnsafe(HEADER)
    header.writeUInt32BE(body.length)
    socket.cork()
    socket.write(header)
    socket.write(body)
    socket.uncork()
  }

  async function answer ({ id, method, args }) {
    try {
      if (!Object.hasOwn(methods, method)) {
        const known = Object.keys(methods).sort().join(', ')
        throw new InputError(`${name} has no method '${method}'; known: ${known}`)
      }
      const value = encode(await methods[method](decode(args ?? {})))
      if (!ending) send({ type: 'result', id, value })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (!(error instanceof InputError)) process.stderr.write(`${error?.stack ?? message}\n`)
      if (!ending) send({ type: 'error', id, message, kind: error?.name ?? 'Error' })
    }
  }

  function receive (frame) {
    let message
    try {
      message = packr.unpack(frame)
    } catch (error) {
      return end(1, `a frame of ${frame.length} bytes is not msgpack: ${error.message}`)
    }
    const type = message === null || typeof message !== 'object' ? typeof message : message.type
    if (!greeted) {
      if (type !== 'hello' || message.protocol !== PROTOCOL) {
        return end(1, `the client said ${type} of protocol ${message?.protocol}, not hello of protocol ${PROTOCOL}`)
      }
      greeted = true
    } else if (type === 'call' && Number.isInteger(message.id) && typeof message.method === 'string') {
      queue = queue.then(() => answer(message))
    } else {
      return end(1, `the client sent a message of type ${type}, not a call with an id and a method`)
    }
  }

  function take (count) {
    const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
    chunks = bytes.length > count ? [bytes.subarray(count)] : []
    held -= count
    return bytes.subarray(0, count)
  }

  socket.on('connect', () => send({ type: 'hello', protocol: PROTOCOL, server: name, version }))
  socket.on('data', (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    while (!ending && held >= (wanted < 0 ? HEADER : wanted)) {
      if (wanted < 0) {
        wanted = take(HEADER).readUInt32BE()
        if (wanted > maxFrame) return end(1, `a frame of ${wanted} bytes is over the limit of ${maxFrame}`)
      } else {
        const frame = take(wanted)
        wanted = -1
        receive(frame)
      }
    }
  })
  socket.on('error', (error) => end(1, `socket: ${error.message}`))
  socket.on('close', () => end(0))
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => end(0))
  return socket
}

module.exports = { serve, nd, InputError, PROTOCOL, MAX_FRAME }
