"""Light and colour of what a ray met."""

import warp as wp

from trunkline.envs.minecraft.kernels.cast import CROSS_FACE, MURK, Scene, between, larger, smaller
from trunkline.envs.minecraft.look import FULL

FAR = 1000.0  # depth of the sky, blocks
FOG_START, FOG_END = 48.0, 160.0
GLOWING = 254  # alpha of what needs no light
DARKEST = 0.09
SUN = wp.constant(wp.vec3(255.0, 248.0, 214.0))
WATER = wp.constant(wp.vec3(42.0, 84.0, 168.0))
# How much of the light of the sky is left below a roof: at once, and what every block below it takes away.
SHADE, SHADE_LOSS, SHADE_LEAST = 0.72, 0.05, 0.22


@wp.func
def sky_light(ceiling: int, height: int):
    """The part of the sky's light that reaches a height below a ceiling."""
    depth = float(ceiling - height)
    light = larger(wp.static(SHADE) - wp.static(SHADE_LOSS) * depth, wp.static(SHADE_LEAST))
    return wp.where(depth <= 0.0, 1.0, light)


@wp.func
def light_cell(scene: Scene, state: int, cell: int, face: int):
    """(column, height) of the cell whose light falls on what a ray met: the one before a full cube, else its own."""
    column = cell // scene.ny
    height = cell - column * scene.ny
    if int(scene.kind[state]) == wp.static(FULL):
        x = column // scene.nz
        z = column - x * scene.nz + wp.where(face == 4, -1, 0) + wp.where(face == 5, 1, 0)
        x += wp.where(face == 0, -1, 0) + wp.where(face == 1, 1, 0)
        column = between(x, 0, scene.nx - 1) * scene.nz + between(z, 0, scene.nz - 1)
        height += wp.where(face == 2, -1, 0) + wp.where(face == 3, 1, 0)
    return column, height


@wp.func
def face_light(face: int):
    """Sides are darker than tops, as if the light came from above and a little from the south."""
    light = wp.where(face < 2, 0.62, 0.8)
    light = wp.where(face == 2, 0.5, light)
    return wp.where(face == 3 or face == wp.static(CROSS_FACE), 1.0, light)


@wp.func
def brightness(color: int, face: int, sky: float, daylight: float):
    """What a picture's colour is multiplied with."""
    light = face_light(face) * larger(sky * daylight, wp.static(DARKEST))
    return wp.where(((color >> 24) & 255) == wp.static(GLOWING), 1.0, light)


@wp.func
def fog_at(distance: float):
    """How much of the horizon's colour covers what is that far away."""
    part = (distance - wp.static(FOG_START)) * wp.static(1.0 / (FOG_END - FOG_START))
    part = smaller(larger(part, 0.0), 1.0)
    return part * part


@wp.func
def water_at(distance: float):
    """How much of the water's colour covers what lies that deep in it, 0 for no water."""
    part = smaller(0.38 + distance * wp.static(0.62 / MURK), 1.0)
    return wp.where(distance > 0.0, part, 0.0)


@wp.func
def sky_part(elevation: float):
    """How much of the zenith's colour the sky has at a sine of the elevation."""
    part = smaller(larger(elevation * 2.2, 0.0), 1.0)
    return part * (2.0 - part)


@wp.func
def sun_part(cosine: float):
    """1 within the sun's disc, a soft glow around it."""
    glow = larger(cosine - 0.97, 0.0) * 12.0
    return wp.where(cosine > 0.9983, 1.0, glow)


@wp.func
def channel(
    color: int,
    shift: int,
    light: float,
    horizon: float,
    zenith: float,
    sun: float,
    water: float,
    elevation: float,
    glow: float,
    wet: float,
    fog: float,
    sky: int,
):
    """One of red, green and blue, 0 to 255: of the picture's colour, and of what lies before or behind it."""
    surface = float((color >> shift) & 255) * light
    surface += (horizon - surface) * fog
    above = horizon + (zenith - horizon) * elevation
    above += (sun - above) * glow
    seen = wp.where(sky == 1, above, surface)
    seen += (water - seen) * wet
    return int(smaller(seen, 255.0))
