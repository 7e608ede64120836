"""The bytes of a sample's members as arrays, and back. Hostile bytes make a bad sample, nothing worse.

Pillow decodes JPEG: it was the fastest of the libraries that are here anyway (docs/decisions.md), and it can decode at
1/2, 1/4 or 1/8 of the size. Pictures' sizes are checked before a pixel is decoded, arrays' headers before memory is
taken for them.
"""

import io
import struct
from typing import Any

import numpy as np

from trunkline.data.fota.faults import BadSample
from trunkline.errors import InputError

QUALITY = 95
MAX_PIXELS = 50_000_000
# Everything that Pillow's decoders raise on damaged bytes.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, struct.error)


def decode_image(data: bytes | memoryview, out: np.ndarray, resize: bool) -> None:
    """Decode a JPEG into `out` (H, W, 3) or (H, W, 1) uint8.

    Args:
        data: of the file.
        out: where the pixels go.
        resize: whether pictures of another size are scaled to `out`'s (bilinear, antialiased) instead of refused.

    Raises:
        BadSample: it cannot be decoded, or it has another size.
    """
    # The plug-in itself: Image.open would also try every other format that Pillow knows.
    from PIL import Image, JpegImagePlugin

    height, width, channels = out.shape
    mode = "RGB" if channels == 3 else "L"
    try:
        image: Any = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        _check_size(image.size, (width, height), resize)
        if image.size != (width, height):
            image.draft(mode, (width, height))
        if image.mode != mode:
            image = image.convert(mode)
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        out[:] = np.frombuffer(image.tobytes(), np.uint8).reshape(out.shape)
    except _DAMAGE as error:
        raise BadSample(f"its .jpg cannot be decoded: {error}") from None


def decode_mask(data: bytes | memoryview, out: np.ndarray, resize: bool) -> None:
    """Decode a PNG into `out` (H, W) bool: whether a pixel is not black.

    Raises:
        BadSample: it cannot be decoded, or it has another size.
    """
    from PIL import Image, PngImagePlugin

    height, width = out.shape
    try:
        image: Any = PngImagePlugin.PngImageFile(io.BytesIO(data))
        _check_size(image.size, (width, height), resize)
        image = image.convert("L")
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.NEAREST)
        out[:] = np.frombuffer(image.tobytes(), np.uint8).reshape(out.shape) > 0
    except _DAMAGE as error:
        raise BadSample(f"its .png cannot be decoded: {error}") from None


def decode_taxels(data: bytes | memoryview, out: np.ndarray) -> None:
    """Read a .npy file of floating-point numbers into `out`, of its shape.

    Raises:
        BadSample: it is no such file, has another shape, or holds values that are not finite.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise BadSample(f"its .npy is of version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except _DAMAGE as error:
        raise BadSample(f"its .npy is damaged: {error}") from None
    if shape != out.shape or dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise BadSample(f"its .npy holds {dtype} {shape}, not float32 {out.shape}")
    values = stream.read()
    if len(values) != out.size * dtype.itemsize:
        raise BadSample(f"its .npy has {len(values)} bytes of values, not {out.size * dtype.itemsize}")
    with np.errstate(over="ignore"):
        out[:] = np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C")
    if not np.isfinite(out).all():
        raise BadSample("its .npy holds values that are not finite")


def encode_image(pixels: np.ndarray, quality: int = QUALITY) -> bytes:
    """(H, W, 3) or (H, W, 1) uint8 as a JPEG, colours at full resolution: they tell the gel's slope."""
    from PIL import Image

    stream = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    image.save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def encode_mask(mask: np.ndarray) -> bytes:
    """(H, W) bool as a PNG of one bit a pixel."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask, np.uint8) * 255).convert("1").save(stream, "PNG")
    return stream.getvalue()


def encode_taxels(values: np.ndarray) -> bytes:
    """An array of float32 as a .npy file.

    Raises:
        InputError: values that are not finite.
    """
    if not np.isfinite(values).all():
        raise InputError("taxels must be finite")
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(values, np.float32), (1, 0), allow_pickle=False)
    return stream.getvalue()


def _check_size(size: tuple[int, int], wanted: tuple[int, int], resize: bool) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise BadSample(f"its picture has {size[0]}×{size[1]} pixels, more than {MAX_PIXELS}")
    if size != wanted and not resize:
        raise BadSample(f"its picture has {size[0]}×{size[1]} pixels, not {wanted[0]}×{wanted[1]}")
