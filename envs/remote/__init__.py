"""Worlds in a process of their own: another Python, Node, or any program that speaks the protocol.

A frame is a 4-byte big-endian length and a msgpack map; `server` (Python) and `node/trunkline-remote.js` (Node) are the
two ends that serve, `process` starts and ends them, `batch` runs Gymnasium environments in them.
"""
