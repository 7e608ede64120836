"""Camera frames in mp4 files.

A file holds the frames of many episodes one after the other; frame k of an episode that begins at `start` seconds is
shown at `start + k / fps`. H.264 with a key frame every second frame, so that any frame is found quickly; lossy.
"""

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.errors import InputError

CODEC = "libx264"
OPTIONS = {"crf": "18", "g": "2", "bf": "0", "preset": "veryfast"}


def write_video(path: Path, clips: Iterable[np.ndarray], fps: float) -> None:
    """Write clips (T, H, W, 3) uint8 one after the other.

    Raises:
        OSError: the file cannot be written.
    """
    import av  # a large library: only those who keep or watch videos load it

    rate = Fraction(fps).limit_denominator(1001)
    try:
        with av.open(str(path), "w", format="mp4") as container:
            _encode(container, clips, rate)
    except av.FFmpegError as error:  # some of its errors are OSErrors, not all
        raise error if isinstance(error, OSError) else OSError(f"cannot write the video {path}: {error}") from error


def _encode(container: Any, clips: Iterable[np.ndarray], rate: Fraction) -> None:
    import av

    stream: Any = None
    number = 0
    for clip in clips:
        if stream is None:
            stream = container.add_stream(CODEC, rate=rate, options=OPTIONS)
            stream.height, stream.width = clip.shape[1:3]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = 1 / rate
            stream.codec_context.thread_count = 1
        for image in clip:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            number += 1
            container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def read_clip(path: Path, start: float, fps: float, out: np.ndarray) -> None:
    """Decode len(out) frames that begin at `start` seconds into `out` (T, H, W, C) uint8.

    Raises:
        InputError: the file is missing, damaged or shorter than that, or its pictures have another size.
    """
    import av  # a large library: only those who keep or watch videos load it

    missing = len(out)
    filled = np.zeros(len(out), bool)
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            base = float(stream.time_base or 0)
            container.seek(int(start / base), stream=stream, backward=True)
            for frame in container.decode(stream):
                index = round((float(frame.pts or 0) * base - start) * fps)
                if index >= len(out):
                    break
                if index >= 0 and not filled[index]:
                    out[index] = _pixels(frame, out.shape[1:], path)
                    filled[index] = True
                    missing -= 1
                    if not missing:
                        break
    except (av.FFmpegError, IndexError) as error:
        raise InputError(f"cannot read the video {path} ({error}); restore it from its source") from None
    if missing:
        when = start + int(np.flatnonzero(~filled)[0]) / fps
        raise InputError(f"the video {path} has no frame at {when:.3f} s; restore it from its source")


def decode_image(data: bytes | None, shape: tuple[int, ...], path: object) -> np.ndarray:
    """One encoded picture (PNG, JPEG, …) as (H, W, C) uint8.

    Raises:
        InputError: no picture, or one of another size.
    """
    import av  # a large library: only those who keep or watch videos load it

    try:
        with av.open(io.BytesIO(data or b"")) as container:
            for frame in container.decode(video=0):
                return _pixels(frame, shape, path)
    except (av.FFmpegError, IndexError) as error:
        raise InputError(f"{path} holds a damaged picture ({error}); restore it from its source") from None
    raise InputError(f"{path} holds an empty picture; restore it from its source")


def _pixels(frame: Any, shape: tuple[int, ...], path: object) -> np.ndarray:
    pixels: np.ndarray = frame.to_ndarray(format="gray" if shape[-1] == 1 else "rgb24" if shape[-1] == 3 else "rgba")
    pixels = pixels.reshape(*pixels.shape[:2], shape[-1]) if shape[-1] in (1, 3, 4) else pixels
    if pixels.shape != shape:
        raise InputError(f"{path} holds pictures of {pixels.shape}, info.json says {shape}; restore it from its source")
    return pixels
