"""The touch benchmark at debug size, end to end, and the arithmetic of its matrix."""

import json
import shutil

import numpy as np
import pytest

from trunkline.cli import main as cli
from trunkline.commands.run import main
from trunkline.data.fota.shards import find_shards
from trunkline.errors import InputError
from trunkline.rollout.report import build_report
from trunkline.rollout.touch.cells import Matrix, read_cells, write_cells
from trunkline.rollout.touch.few_shot import FEW_SHOT_SCHEMA

SENSORS = ["digit", "gs_black", "pressure_12x8"]
SMALL = [
    "experiment=touch",
    f"parts.touch.sensors=[{','.join(SENSORS)}]",
    "parts.touch.tasks=[object,force,mask]",
    "parts.touch.trials={train: 12, val: 4, test: 6}",
    "parts.touch.chunk=6",
    "parts.touch.image_size=32",
    "parts.touch.hold_out=[[digit,object],[gs_black,force]]",
    "parts.touch.unlabelled=[]",
    "parts.touch.resamples=50",
    "parts.touch.stage1={patch: 16, steps: 2, batch_size: 8}",
    "parts.touch.stage2={patch: 16, steps: 4, batch_size: 16, alignment: {weight: 1.0}}",
    "parts.touch.single={patch: 16, steps: 2, batch_size: 8}",
    "parts.touch.few_shot={sensor: wedge, trials: [2, 4], options: {patch: 16, steps: 2, batch_size: 8}}",
]


@pytest.mark.ray
@pytest.mark.slow
def test_the_benchmark_runs_end_to_end_and_resumes(ray_session, tmp_path, capsys):
    folder = tmp_path / "run"
    main([*SMALL, f"folder={folder}"])
    rows = read_cells(folder / "touch" / "cells.parquet")
    arms = {(row["arm"], row["sensor"], row["task"]) for row in rows}
    assert {("transfer", "digit", "object"), ("upper", "digit", "object"), ("nearest", "digit", "object")} <= arms
    assert ("unshared", "gs_black", "force") in arms and ("nearest", "gs_black", "object") not in arms
    assert {row["sensor"] for row in rows if row["arm"] == "transfer"} == set(SENSORS)
    assert {(r["sensor"], r["task"]) for r in rows if r["held_out"]} == {("digit", "object"), ("gs_black", "force")}
    assert not any(row["sensor"] == "pressure_12x8" and row["task"] == "mask" for row in rows)  # taxels have none
    page = (folder / "report.html").read_text()
    assert "Touch: sensors × tasks" in page and "data:image/png;base64" in page
    numbers = json.loads((folder / "report.json").read_text())["touch"]
    assert {cell["sensor"] for cell in numbers["cells"]} == set(SENSORS)
    few = read_cells(folder / "touch" / "few_shot.parquet", FEW_SHOT_SCHEMA)
    assert {row["task"] for row in few} == {"object", "force", "mask"}
    assert {(row["arm"], row["sensor"]) for row in few} == {("pretrained", "wedge"), ("scratch", "wedge")}
    fewer, more = sorted({row["learned"] for row in few})
    assert 0 < fewer < more and "Few-shot: wedge" in page
    before = (folder / "touch" / "cells.parquet").read_bytes()
    capsys.readouterr()
    main([*SMALL, f"folder={folder}"])
    assert "touch/matrix: done before" in capsys.readouterr().out
    assert (folder / "touch" / "cells.parquet").read_bytes() == before


@pytest.mark.ray
def test_generation_goes_on_where_it_was_and_repeats_exactly(ray_session, tmp_path):
    from trunkline.rollout.touch.generate import generate

    options = {"seed": 3, "chunk": 2, "image_size": 16, "say": lambda message: None}
    count = generate(tmp_path / "whole", "train", 6, ["digit", "magnetic_4x4"], **options)
    generate(tmp_path / "parts", "train", 4, ["digit", "magnetic_4x4"], **options)
    find_shards(tmp_path / "parts" / "digit" / "train")[-1].unlink()  # as if killed while writing
    shutil.rmtree(tmp_path / "parts" / "digit")
    assert generate(tmp_path / "parts", "train", 6, ["digit", "magnetic_4x4"], **options) == count
    for sensor in ("digit", "magnetic_4x4"):
        ours, theirs = (find_shards(tmp_path / name / sensor / "train") for name in ("whole", "parts"))
        assert len(ours) == 3 and [p.read_bytes() for p in ours] == [p.read_bytes() for p in theirs]
    with pytest.raises(InputError, match="is of seed=3, not 4"):  # other trials would mix with these
        generate(tmp_path / "parts", "train", 8, ["digit", "magnetic_4x4"], **options | {"seed": 4})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("parts.touch.tasks=[objekt]", "did you mean 'object'"),
        ("parts.touch.sensors=[digitt]", "did you mean 'digit'"),
        ("parts.touch.hold_out=[[digit,textur]]", "did you mean 'texture'"),
        ("parts.touch.arms=[uper]", "did you mean 'upper'"),
        ("parts.touch.size=nanno", "did you mean 'nano'"),
        ("parts.touch.few_shot={sensor: digit}", "it must be new"),
        ("parts.touch.few_shot={sensor: gs_green, trials: [4, 4]}", "must be positive numbers that grow"),
        ("parts.touch.stage2={stepz: 3}", "did you mean"),
        ("parts={tuch: {}}", "did you mean 'touch'"),
    ],
)
def test_a_bad_benchmark_is_refused_before_anything_is_written(override, message, tmp_path, capsys):
    assert cli(["run", "experiment=touch", f"folder={tmp_path / 'run'}", override]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def row(arm, value, chance=0.2, sensor="a", task="t", seed=0, held_out=True):
    draws = np.linspace(value - 0.1, value + 0.1, 41).tolist()
    return {
        "arm": arm, "train_seed": seed, "sensor": sensor, "task": task, "held_out": held_out, "through": sensor,
        "metric": "accuracy", "value": value, "chance": chance, "samples": 10, "trials": 5, "draws": draws,
    }  # fmt: skip


def test_scores_are_normalised_between_chance_and_the_upper_bound(tmp_path):
    rows = [row("transfer", 0.6), row("upper", 1.0), row("transfer", 0.3, task="u"), row("upper", 0.21, task="u")]
    write_cells(tmp_path / "cells.parquet", rows)
    matrix = Matrix(read_cells(tmp_path / "cells.parquet"))
    score = matrix.normalised("transfer", "a", "t")
    assert score is not None and score.value == pytest.approx(0.5) and score.low < 0.5 < score.high
    assert matrix.normalised("transfer", "a", "u") is None  # nothing to learn there: no score, not a wild one
    assert matrix.mean_normalised("transfer", matrix.held_out).value == pytest.approx(0.5)
    assert matrix.normalised("nearest", "a", "t") is None


def test_a_damaged_matrix_is_refused_in_one_line(tmp_path):
    (tmp_path / "touch").mkdir()
    (tmp_path / "touch" / "cells.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="truncated or no parquet"):
        build_report(tmp_path)
