"""What a touch sensor is made of besides its gel: lights, background, printed dots, taxels."""

from dataclasses import dataclass

from trunkline.errors import InputError

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """A distant light inside the sensor.

    Attributes:
        azimuth_deg: where it stands, counter-clockwise from the image's right.
        elevation_deg: above the gel; the lower, the stronger slopes show.
        colour: counts (of 255) that it adds to red, green and blue where it falls on the gel squarely.
    """

    azimuth_deg: float
    elevation_deg: float
    colour: Colour

    def __post_init__(self) -> None:
        if not 0 <= self.elevation_deg <= 90:
            raise InputError(f"light elevation_deg={self.elevation_deg} must be in [0, 90]")


@dataclass(frozen=True)
class Background:
    """The image of the untouched gel.

    Attributes:
        colour: counts (of 255) at the centre.
        gradient: how much of each light's colour is added at the edge nearest to it (and taken away opposite).
        vignette: share of the brightness that is lost in the corners.
    """

    colour: Colour
    gradient: float = 0.0
    vignette: float = 0.0


@dataclass(frozen=True)
class Markers:
    """Dots printed on the gel, a grid centred on the image.

    Attributes:
        rows, cols: how many.
        pitch_mm: distance between neighbours.
        radius_mm: of a dot.
        colour: counts (of 255).
    """

    rows: int
    cols: int
    pitch_mm: float
    radius_mm: float
    colour: Colour = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if min(self.rows, self.cols) < 1 or min(self.pitch_mm, self.radius_mm) <= 0:
            raise InputError(f"markers {self} must have at least one row and column, a pitch and a radius above zero")


@dataclass(frozen=True)
class TaxelLayout:
    """Discrete sensing elements under a soft cover.

    Attributes:
        channels: 1 (normal force) or 3 (force along x, y, normal).
        units: of a reading.
        full_scale: the reading at which an element saturates.
        gain: reading per newton on the element.
        levels: steps of the converter between zero and full scale.
        spread_mm: standard deviation of the spread of a force through the cover.
        positions_mm: chart coordinates (x, y) of each; None: the grid of `resolution`, evenly over the gel.
    """

    channels: int
    units: str
    full_scale: float
    gain: float = 1.0
    levels: int = 4096
    spread_mm: float = 1.0
    positions_mm: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise InputError(f"taxels.channels={self.channels} must be 1 (normal) or 3 (x, y, normal)")
        if min(self.full_scale, self.gain, self.spread_mm) <= 0 or self.levels < 2:
            raise InputError(f"taxels {self} must have positive full_scale, gain and spread_mm, and at least 2 levels")
