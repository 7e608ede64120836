"""Connectors with 3, 12 and 17 pins, and what of them collides.

A connector is a pattern of round pins under a shoulder, and above it a rounded handle that the pads hold. Modelled are
the outermost pins, which leave the least play to the plug, each with the walls of its own hole: a plate with one square
hole, which is `CLEARANCE` wider than the pin. The pins' round tips are all the chamfer there is.
"""

from dataclasses import dataclass

import numpy as np

CLEARANCE = 0.0004  # m, width of a hole minus the diameter of its pin
SLOTS = 4  # pins that collide
WALLS = 4  # of a hole: left, right, front, back
PLATE = (0.014, 0.009, 0.005)  # m, half extents of the socket; its top is the socket's origin
SHOULDER_HALF = 0.0015  # m, half height of the shoulder
DROP = 0.0105  # m from the handle's axis to the shoulder's underside
_PARKED = np.array([0.0, 0.0, 0.004])  # of a slot that a connector does not use: inside the handle


@dataclass(frozen=True)
class Connector:
    """One kind of plug and its socket.

    Attributes:
        pins: (x, y) of every pin, m.
        outer: indices of the pins that collide, at most `SLOTS`.
        radius: of a pin, m.
        length: of a pin below the shoulder, m.
        handle: radius, and half length between the centres of the round ends, of the handle, m.
    """

    pins: tuple[tuple[float, float], ...]
    outer: tuple[int, ...]
    radius: float
    length: float
    handle: tuple[float, float]


def _rows(pitch: float, *rows: tuple[int, float]) -> tuple[tuple[float, float], ...]:
    """Rows of pins, each centred: (number, y)."""
    return tuple((round((i - (count - 1) / 2) * pitch, 6), y) for count, y in rows for i in range(count))


CONNECTORS: dict[int, Connector] = {
    3: Connector(_rows(0.010, (2, -0.0025), (1, 0.0035)), (0, 1, 2), 0.0011, 0.007, (0.006, 0.004)),
    12: Connector(_rows(0.0028, (6, -0.0016), (6, 0.0016)), (0, 5, 6, 11), 0.0007, 0.006, (0.006, 0.006)),
    17: Connector(_rows(0.0022, (6, -0.0024), (5, 0.0), (6, 0.0024)), (0, 5, 11, 16), 0.0005, 0.005, (0.005, 0.005)),
}
PIN_COUNTS = tuple(CONNECTORS)


def hole_walls(x: float, y: float, half: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres (4, 3) and half extents (4, 3) of the boxes that make a plate with one square hole at (x, y)."""
    width, depth, height = PLATE
    spans = (
        ((-width, x - half), (-depth, depth)),
        ((x + half, width), (-depth, depth)),
        ((x - half, x + half), (-depth, y - half)),
        ((x - half, x + half), (y + half, depth)),
    )
    centres = [[(a + b) / 2, (c + d) / 2, -height] for (a, b), (c, d) in spans]
    extents = [[(b - a) / 2, (d - c) / 2, height] for (a, b), (c, d) in spans]
    return np.array(centres), np.array(extents)


@dataclass(frozen=True)
class ConnectorTable:
    """MuJoCo's geom fields of every connector, one row a connector in the order of `CONNECTORS`.

    The geoms are the handle, the colliding pins, the shoulder, then the holes' walls.

    Attributes:
        position, size: (3, geoms, 3).
        aabb: (3, geoms, 6).
        rbound: (3, geoms).
        length: of the pins, (3,).
    """

    position: np.ndarray
    size: np.ndarray
    aabb: np.ndarray
    rbound: np.ndarray
    length: np.ndarray

    @staticmethod
    def names() -> list[str]:
        """The geoms' names."""
        pins = [f"pin_{i}" for i in range(SLOTS)]
        return ["handle", *pins, "shoulder", *(f"wall_{i}_{j}" for i in range(SLOTS) for j in range(WALLS))]

    @classmethod
    def build(cls) -> "ConnectorTable":
        """The table of `CONNECTORS`."""
        rows = [cls._row(connector) for connector in CONNECTORS.values()]
        position, extents, size = (np.stack([row[k] for row in rows]) for k in range(3))
        aabb = np.concatenate([np.zeros_like(extents), extents], axis=2)
        rounded = np.zeros(extents.shape[1], bool)
        rounded[: 1 + SLOTS] = True
        diagonal = np.sqrt((extents * extents).sum(2))
        rbound = np.where(rounded, extents[:, :, 2], diagonal)
        return cls(position, size, aabb, rbound, np.array([c.length for c in CONNECTORS.values()]))

    @staticmethod
    def _row(connector: Connector) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions, half extents in the geom's own frame, and MuJoCo sizes, each (geoms, 3)."""
        positions, extents, sizes = [], [], []

        def add(position: np.ndarray, extent: np.ndarray, size: np.ndarray) -> None:
            positions.append(position)
            extents.append(extent)
            sizes.append(size)

        radius, half = connector.handle
        add(np.zeros(3), np.array([radius, radius, half + radius]), np.array([radius, half, 0.0]))
        # A pin starts inside the shoulder: its round upper end must not show below it.
        top, bottom = -DROP + SHOULDER_HALF, -DROP - connector.length
        half_pin = (top - bottom) / 2 - connector.radius
        slots = [connector.pins[i] for i in connector.outer]
        for i in range(SLOTS):
            place = np.array([*slots[i], (top + bottom) / 2]) if i < len(slots) else _PARKED
            r = connector.radius
            add(place, np.array([r, r, half_pin + r]), np.array([r, half_pin, 0.0]))
        reach = np.abs(np.array(connector.pins)).max(0) + connector.radius + 0.0012
        shoulder = np.array([*reach, SHOULDER_HALF])
        add(np.array([0.0, 0.0, -DROP + SHOULDER_HALF]), shoulder, shoulder)
        for i in range(SLOTS):
            x, y = slots[i] if i < len(slots) else slots[0]
            for centre, extent in zip(*hole_walls(x, y, connector.radius + CLEARANCE / 2), strict=True):
                add(centre, extent, extent)
        return np.stack(positions), np.stack(extents), np.stack(sizes)
