"""Metrics of a run: rows and TensorBoard events, rewound and cut off."""

import pytest

from trunkline.data.metrics import MetricsLog, read_metrics
from trunkline.errors import InputError


def test_metrics_rewind_and_survive_a_cut_line(tmp_path):
    with MetricsLog(tmp_path) as log:
        for step in range(5):
            log.log(step, {"loss": step / 2, "odd": float("nan") if step == 1 else 1.0})
        log.rewind(2)
        log.log(3, {"loss": 9.0})
    assert [(row["step"], row["loss"]) for row in read_metrics(tmp_path)] == [(0, 0.0), (1, 0.5), (2, 1.0), (3, 9.0)]
    assert read_metrics(tmp_path)[1]["odd"] is None
    assert list((tmp_path / "tensorboard").iterdir())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert len(read_metrics(tmp_path)) == 4
    (tmp_path / "floats").mkdir()
    (tmp_path / "floats" / "metrics.jsonl").write_text('{"step": 2.0}\n')
    assert type(read_metrics(tmp_path / "floats")[0]["step"]) is int
    for line in (b"\xff", b'{"step": Infinity}', b"[1]"):
        (tmp_path / "floats" / "metrics.jsonl").write_bytes(line + b"\n")
        with pytest.raises(InputError, match="line 1 is not a row of metrics"):
            read_metrics(tmp_path / "floats")
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.log(4, {"loss": 1.0})
    assert [row["step"] for row in read_metrics(tmp_path)] == [0, 1, 2, 3, 4]


def test_tensorboard_reads_the_curve_of_a_resumed_run(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with MetricsLog(tmp_path) as log:
        for step in range(4):
            log.log(step, {"loss": step})
    with MetricsLog(tmp_path) as log:
        log.rewind(1)
        log.log(2, {"loss": 7.0})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(0, 0.0), (1, 1.0), (2, 7.0)]
