"""What several data sets that are streamed together have in common."""

from collections.abc import Sequence

from trunkline.data.fota.dataset import FotaDataset
from trunkline.data.fota.labels import MASK, POSE, POSITION, Label
from trunkline.errors import InputError


def check_same_sensor(sources: Sequence[FotaDataset]) -> None:
    """Refuse data sets of different sensors.

    Raises:
        InputError: none at all, or two that differ.
    """
    if not sources:
        raise InputError("there is no data set to stream from")
    first = sources[0]
    for source in sources[1:]:
        difference = first.sensor.difference(source.sensor)
        if difference:
            raise InputError(
                f"{first.root} and {source.root} are of different sensors: {difference}; stream each alone"
            )


def choose_fields(sources: Sequence[FotaDataset], fields: Sequence[str] | None) -> tuple[tuple[str, ...], bool]:
    """Names of the labels to serve, and whether contact masks are wanted.

    Args:
        sources: the data sets.
        fields: what was asked for; None for all numeric labels that all of them have.

    Raises:
        InputError: a field that one of them lacks, with the nearest match.
    """
    if fields is None:
        names = [label.name for label in sources[0].labels()]
        return tuple(name for name in names if all(name in source.fields for source in sources)), False
    for source in sources:
        source.labels(fields)
    mask = MASK in fields and MASK not in sources[0].fields
    return tuple(dict.fromkeys(name for name in fields if not (mask and name == MASK))), mask


def pose_names(sources: Sequence[FotaDataset]) -> tuple[str, ...]:
    """The labels of the pose: with orientation where all data sets have it, else the position.

    Raises:
        InputError: one of them has neither.
    """
    for names in (POSE, POSITION):
        if all(name in source.fields for source in sources for name in names):
            return names
    raise InputError(f"{sources[0].folder} has no poses ({', '.join(POSE)}), so there are no moves to learn")


def shared_labels(sources: Sequence[FotaDataset], names: Sequence[str]) -> tuple[Label, ...]:
    """Labels by name, the same in all data sets.

    Raises:
        InputError: they differ in type or shape.
    """
    labels = sources[0].labels(names)
    for source in sources[1:]:
        for mine, theirs in zip(labels, source.labels(names), strict=True):
            if mine != theirs:
                raise InputError(f"label {mine.name!r} of {sources[0].folder} is {mine}, of {source.folder} {theirs}")
    return labels
