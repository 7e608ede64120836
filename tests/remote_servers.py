"""A server that behaves as its first argument says; the end of its arguments is `--socket PATH`."""

import os
import socket
import struct
import sys
import time

import msgpack


def frame(message):
    body = message if isinstance(message, bytes) else msgpack.packb(message)
    return struct.pack(">I", len(body)) + body


def result(value, number=0, kind="result"):
    return frame({"type": kind, "id": number, "value": value})


def array(**parts):
    return result({"__nd__": 1, "dtype": "<f4", "shape": [2], "data": bytes(8), **parts})


HELLO = frame({"type": "hello", "protocol": 1, "server": "fake", "version": "1"})
GREETINGS = {
    "version": frame({"type": "hello", "protocol": 2, "server": "fake", "version": "1"}),
    "no_name": frame({"type": "hello", "protocol": 1}),
    "no_hello": result(1),
    "http": b"HTTP/1.1 200 OK\r\n\r\n",
}
ANSWERS = {
    "garbage": frame(b"\xc1\xc1\xc1"),
    "half_msgpack": frame(msgpack.packb({"type": "result"})[:-3]),
    "truncated": result("x" * 100)[:50],
    "half_header": b"\x00\x00",
    "too_long": struct.pack(">I", 1 << 31),
    "wrong_id": result(1, number=7),
    "wrong_type": result(1, kind="call"),
    "no_value": frame({"type": "result", "id": 0}),
    "a_list": frame([1, 2]),
    "array_bytes": array(data=bytes(7)),
    "array_dtype": array(dtype="|O"),
    "array_shape": array(shape=[-2]),
    "nothing": b"",
}


def main():
    behaviour, path = sys.argv[1], sys.argv[-1]
    print("a line of output", file=sys.stderr, flush=True)
    if behaviour == "quits":
        sys.exit(3)
    if behaviour == "absent":
        time.sleep(1000)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    if behaviour == "silent":
        time.sleep(1000)
    if behaviour in GREETINGS:
        connection.sendall(GREETINGS[behaviour])
        time.sleep(1000)
    connection.sendall(HELLO)
    if behaviour == "deaf":  # never reads, so that what is sent fills the socket
        time.sleep(1000)
    for _ in ("hello", "call"):
        (length,) = struct.unpack(">I", connection.recv(4, socket.MSG_WAITALL))
        connection.recv(length, socket.MSG_WAITALL)
    if behaviour == "killed":
        os.kill(os.getpid(), 9)
    connection.sendall(ANSWERS[behaviour])
    if behaviour in ("truncated", "half_header", "nothing"):
        return
    time.sleep(1000)


if __name__ == "__main__":
    main()
