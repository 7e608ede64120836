"""The report of made-up runs: what it says, that it stands alone, and what it refuses."""

import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trunkline.envs.random import generator
from trunkline.errors import InputError
from trunkline.rollout.report import arms, build_report, page
from trunkline.rollout.report.metrics import curve, load_logs
from trunkline.rollout.report.registry import Block, section, sections
from trunkline.rollout.report.svg import short, ticks
from trunkline.rollout.report.videos import choose, find_videos, same_task

RATES = {  # success on (seen, goal, object, task)
    "random": (0.03, 0.02, 0.04, 0.01),
    "expert": (1.0, 0.99, 0.98, 1.0),
    "imitation": (0.6, 0.45, 0.35, 0.1),
    "imitation_scratch": (0.45, 0.3, 0.25, 0.08),
    "rl_scratch": (0.62, 0.43, 0.3, 0.08),
    "pretrained_rl": (0.88, 0.71, 0.5, 0.12),
    "pretrained_rl_goal_masked": (0.2, 0.12, 0.1, 0.02),
}
TASKS = ("pointmass/hidden-goal", "tabletop/reach", "tabletop/push")
AXES = ("seen", "goal", "object", "task")


def write_results(folder, rates=RATES, seeds=2, contexts=30, tasks=TASKS, edit=None):
    """A made-up results.parquet: every arm, axis and task, `contexts` episodes each."""
    rows = []
    for arm, by_axis in rates.items():
        for seed in range(seeds if arms.arm(arm).trained else 1):
            for axis, rate in zip(AXES, by_axis, strict=True):
                for task in tasks:
                    digest = hashlib.sha256(axis.encode()).hexdigest()
                    draw = generator("made-up", arm, seed, axis, task)
                    for index in range(contexts):
                        success = bool(draw.random() < rate)
                        rows.append({
                            "arm": arm, "train_seed": seed, "task": task, "axis": axis,
                            "split": "train" if axis == "seen" else f"test/{axis}",
                            "task_id": f"{task}-{axis}-{index}", "manifest": digest, "success": success,
                            "progress": 1.0 if success else float(draw.random() * 0.8), "steps": 40 + index,
                            "return": 15.0 * success, "lost": None,
                        })  # fmt: skip
    if edit is not None:
        rows = edit(rows)
    schema = pa.schema([
        ("arm", pa.string()), ("train_seed", pa.int64()), ("task", pa.string()), ("axis", pa.string()),
        ("split", pa.string()), ("task_id", pa.string()), ("manifest", pa.string()), ("success", pa.bool_()),
        ("progress", pa.float64()), ("steps", pa.int64()), ("return", pa.float64()), ("lost", pa.string()),
    ])  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "results.parquet")


def write_metrics(folder, seeds=2, tasks=TASKS, scratch_steps=200_000):
    """RL and pretraining logs under checkpoints/<stage>/seed<k>/metrics.jsonl."""
    for seed in range(seeds):
        draw = generator("metrics", seed)
        for stage, end, total in [("pretrained_rl", 0.85, 200_000), ("rl_scratch", 0.6, scratch_steps)]:
            lines = []
            for step in range(1, 101):
                rate = {t: end * (1 - np.exp(-step / (20 + 10 * i))) for i, t in enumerate(tasks)}
                rate = {t: float(np.clip(v + draw.normal(0, 0.04), 0, 1)) for t, v in rate.items()}
                row = {"step": step, "env_steps": step * total // 100, "success": float(np.mean(list(rate.values())))}
                lines.append(json.dumps(row | {f"success/{t}": v for t, v in rate.items()}))
            write_lines(folder / "checkpoints" / stage / f"seed{seed}" / "metrics.jsonl", lines)
        for stage, scale in [("pretrain", 1.0), ("imitation", 0.3), ("imitation_scratch", 0.5)]:
            lines = [
                json.dumps(
                    {"step": s, "loss": scale * (0.1 + 2 * np.exp(-s / 60)) * float(np.exp(draw.normal(0, 0.05)))}
                )
                for s in range(0, 400, 2)
            ]
            write_lines(folder / "checkpoints" / stage / f"seed{seed}" / "metrics.jsonl", lines)


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_rest(folder):
    """config.yaml and stages.json."""
    (folder / "config.yaml").write_text("experiment: quickstart\nseed: 0  # <script>alert(1)</script>\n")
    stages = {
        "collect": {"seconds": 41.2, "frames": 120_000, "command": "trunkline collect experiment=quickstart"},
        "pretrain": {"seconds": 83.0, "frames": 1_600_000, "command": "trunkline pretrain experiment=quickstart"},
        "finetune": {"seconds": 203.7, "frames": 400_000, "command": "trunkline finetune experiment=quickstart"},
        "evaluate": {"seconds": 37.9, "frames": 60_000},
    }
    (folder / "stages.json").write_text(json.dumps(stages))


def write_videos(folder, arms_shown=("pretrained_rl", "rl_scratch", "imitation"), content=b"\0" * 2000):
    for arm in arms_shown:
        for task in TASKS:
            for name in ("goal_0_success", "3_failure", "4_failure"):
                path = folder / "videos" / arm / f"{task.replace('/', '-')}_{name}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


class Page(HTMLParser):
    """Tags that are opened and closed in order, and everything the page would load."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, text):
        super().__init__()
        self.stack, self.sources, self.tags, self.ids, self.text = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.stack.append(tag)
        values = dict(attrs)
        self.sources += [values[name] for name in ("src", "href", "data", "poster") if values.get(name)]
        self.ids += [values["id"]] if "id" in values else []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, f"</{tag}> closes {self.stack[-1:]}"
        self.stack.pop()

    def handle_data(self, data):
        self.text.append(data)


def built(folder):
    """The report of a folder: parsed page, whole text, numbers."""
    text = build_report(folder).read_text()
    parsed = Page(text)
    assert not parsed.stack
    return parsed, "".join(parsed.text), json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A run folder with everything in it, and its report."""
    folder = tmp_path_factory.mktemp("quickstart")
    write_results(folder)
    write_metrics(folder)
    write_rest(folder)
    write_videos(folder)
    return folder, *built(folder)


def test_the_page_stands_alone(full):
    folder, parsed, _, _ = full
    assert "script" not in parsed.tags
    for source in parsed.sources:
        assert source.startswith(("#", "data:")), source
    assert {source[1:] for source in parsed.sources if source.startswith("#")} <= set(parsed.ids)
    html = (folder / "report.html").read_text()
    assert not re.search(r"(?i)url\(|@import|https?://", html)
    assert len(html) < 5_000_000


def test_the_headline_is_computed(full):
    _, parsed, text, numbers = full
    headline = numbers["headline"]
    assert headline["axis"] == "goal" and headline["verdict"] == "better"
    assert re.fullmatch(
        r"Pretraining helps: Pretrained \+ RL solves \d+% \[\d+, \d+\] of goals it never saw; "
        r"RL from scratch with the same budget \d+% \[\d+, \d+\]\.",
        headline["sentence"],
    )
    assert headline["sentence"] in text and "so it uses the goal it is given" in text
    shown = numbers["transfer"]["pretrained_rl"]["goal"]["success"]["mean"]
    assert f"{100 * shown['value']:.0f}% [{100 * shown['low']:.0f}, {100 * shown['high']:.0f}]" in headline["sentence"]
    assert parsed.tags.count("h1") == 1


@pytest.mark.parametrize(
    ("scratch", "opening", "verdict"),
    [(0.71, "Pretraining makes no difference we can tell", "unclear"), (0.95, "Pretraining hurts", "worse")],
)
def test_the_headline_says_when_pretraining_does_not_help(tmp_path, scratch, opening, verdict):
    write_results(tmp_path, {**RATES, "rl_scratch": (0.9, scratch, 0.5, 0.1)})
    _, text, numbers = built(tmp_path)
    assert numbers["headline"]["verdict"] == verdict
    assert numbers["headline"]["sentence"].startswith(opening) and opening in text


def test_numbers_match_the_rows(full):
    folder, _, _, numbers = full
    rows = pq.read_table(folder / "results.parquet").to_pylist()
    for arm in RATES:
        for axis in AXES:
            of_tasks = [
                np.mean([r["success"] for r in rows if (r["arm"], r["axis"], r["task"]) == (arm, axis, task)])
                for task in TASKS
            ]
            shown = numbers["transfer"][arm][axis]
            assert shown["success"]["mean"]["value"] == pytest.approx(np.mean(of_tasks))
            assert [shown["tasks"][task]["mean"]["value"] for task in TASKS] == pytest.approx(of_tasks)
    cells = numbers["raw"]["cells"]
    assert sum(cell["episodes"] for cell in cells) == len(rows)
    assert sum(cell["successes"] for cell in cells) == sum(r["success"] for r in rows)
    for axis in AXES:
        assert numbers["transfer"]["random"][axis]["normalised"]["mean"]["value"] == pytest.approx(0.0)
        assert numbers["transfer"]["expert"][axis]["normalised"]["mean"]["value"] == pytest.approx(1.0)


def test_the_same_run_gives_the_same_page(full, tmp_path):
    folder, *_ = full
    before = (folder / "report.html").read_bytes(), (folder / "report.json").read_bytes()
    build_report(folder)
    assert before == ((folder / "report.html").read_bytes(), (folder / "report.json").read_bytes())


def test_few_seeds_and_episodes_are_said(full, tmp_path):
    _, _, text, numbers = full
    assert not numbers["caveats"]["publishable"]
    assert "2 training seeds; a published number needs at least 5" in text
    assert "As few as 30 episodes a cell" in text
    write_results(tmp_path, seeds=5, contexts=100, tasks=TASKS[:2])
    _, text, numbers = built(tmp_path)
    assert numbers["caveats"] == {"publishable": True, "list": []} and "Read with care" not in text


def test_lost_missing_and_unlike_episodes_are_said(tmp_path):
    def edit(rows):
        for row in rows[:7]:
            row |= {"lost": "sensor 'camera' returned NaN", "success": None, "progress": None}
        kept = [
            r for r in rows if r["arm"] not in ("expert",) and not (r["arm"] == "imitation" and r["axis"] == "task")
        ]
        for row in kept:
            if row["arm"] == "rl_scratch" and row["axis"] == "object":
                row["task_id"] += "-other"
        return kept

    write_results(tmp_path, edit=edit)
    write_metrics(tmp_path, scratch_steps=100_000)
    _, text, numbers = built(tmp_path)
    caveats = " ".join(numbers["caveats"]["list"])
    assert "7 of" in caveats and "were lost" in caveats
    assert "Not evaluated: Scripted expert." in caveats
    assert "Pretrained + imitation lack" in caveats
    assert "In 3 of 12 cells the arms ran on different episodes" in caveats
    assert "RL budgets differ: pretrained 200,000 environment steps, from scratch 100,000" in caveats
    assert "with another budget" in numbers["headline"]["sentence"]
    assert "Normalised score" not in text


def test_results_alone_are_enough(tmp_path):
    write_results(tmp_path, {"rl_scratch": RATES["rl_scratch"], "my <b>arm</b>": RATES["imitation"]}, seeds=1)
    parsed, text, numbers = built(tmp_path)
    assert "video" not in parsed.tags
    assert "No stages.json" in text and "No config.yaml" in text and "No metrics of RL and pretraining" in text
    assert "Whether pretraining helps this run cannot say: Pretrained + RL was not evaluated." in text
    assert "my <b>arm</b>" in text and numbers["headline"]["verdict"] is None  # as text, not as a tag


def test_everything_lost_is_said(tmp_path):
    write_results(tmp_path, {"random": RATES["random"]}, edit=lambda rows: [r | {"lost": "broken"} for r in rows])
    assert "Every evaluated episode was lost" in built(tmp_path)[1]


def test_validation_episodes_stay_apart(tmp_path):
    def edit(rows):
        return rows + [r | {"split": "validation/goal", "success": True} for r in rows if r["axis"] == "goal"]

    write_results(tmp_path)
    alone = built(tmp_path)[2]["transfer"]["rl_scratch"]["goal"]["success"]
    write_results(tmp_path, edit=edit)
    both = built(tmp_path)[2]["transfer"]["rl_scratch"]
    assert both["goal"]["success"] == alone
    assert both["goal (validation)"]["success"]["mean"]["value"] == 1.0


def test_what_the_user_wrote_is_escaped(full):
    _, parsed, text, _ = full
    assert "<script>alert(1)</script>" in text and "script" not in parsed.tags


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "trunkline evaluate"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "truncated"),
        (lambda path: path.write_bytes(b""), "truncated"),
        (lambda path: path.write_text("arm,task\n"), "truncated or no parquet"),
        (lambda path: pq.write_table(pa.table({"x": [1]}), path), "lacks the column 'arm'"),
        (lambda path: pq.write_table(pq.read_table(path).drop(["manifest"]), path), "lacks the column 'manifest'"),
        (lambda path: pq.write_table(pq.read_table(path).slice(0, 0), path), "no episodes"),
        (lambda path: respoil(path, "progress", pa.array(["a"])), "'progress' is of type string"),
        (lambda path: respoil(path, "progress", pa.array([7.0])), "'progress' is 7.0 in row 0"),
        (lambda path: respoil(path, "success", pa.array([None], pa.bool_())), "'success' is nan in row 0"),
        (lambda path: respoil(path, "task", pa.array([None], pa.string())), "'task' is empty in row 0"),
    ],
)
def test_bad_results_are_refused_in_one_line(tmp_path, spoil, said):
    write_results(tmp_path, {"random": RATES["random"]}, contexts=5)
    spoil(tmp_path / "results.parquet")
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        build_report(tmp_path)
    assert "\n" not in str(caught.value) and "results.parquet" in str(caught.value)
    assert not (tmp_path / "report.html").exists()


def respoil(path, name, one):
    """Replace a column by one value, repeated."""
    table = pq.read_table(path)
    column = pa.concat_arrays([one] * table.num_rows)
    pq.write_table(table.set_column(table.column_names.index(name), name, column), path)


def test_other_bad_input(tmp_path):
    with pytest.raises(InputError, match="no run folder"):
        build_report(tmp_path / "absent")
    write_results(tmp_path, {"random": RATES["random"]}, contexts=5)
    damaged = {
        "[]": "not of the form",
        '{"collect": []}': "record of 'collect' is damaged",
        '{"collect": {"done": true}}': "is damaged",
        '{"collect": {"seconds": NaN}}': "is damaged",
        '{"collect": {"seconds": 1, "spans": [[1]]}}': "is damaged",
    }
    for text, said in damaged.items():
        (tmp_path / "stages.json").write_text(text)
        with pytest.raises(InputError, match=said):
            build_report(tmp_path)
    (tmp_path / "stages.json").write_text('{"collect": ')
    with pytest.raises(InputError, match=r"stages.json is not JSON"):
        build_report(tmp_path)


def test_logs_are_read_however_they_ended(tmp_path):
    lines = [json.dumps({"step": s, "success": s / 10, "env_steps": 100 * s}) for s in range(8)]
    again = [json.dumps({"step": s, "success": 1.0, "env_steps": 100 * s}) for s in (6, 7)]
    write_lines(
        tmp_path / "checkpoints" / "rl_scratch" / "seed3" / "metrics.jsonl", [*lines, *again, '{"step": 8, "succ']
    )
    write_lines(tmp_path / "pretrain" / "metrics.jsonl", ['{"step": 0, "loss": 2.0}', '{"step": 1, "loss": null}'])
    pretrain, rl = load_logs(tmp_path)
    assert (rl.stage, rl.seed, rl.skipped) == ("rl_scratch", 3, 1)
    x, y = rl.series("success", "env_steps")
    assert x[-1] == 700 and list(y[-3:]) == [0.5, 1.0, 1.0]
    assert (pretrain.stage, pretrain.seed) == ("pretrain", 0) and len(pretrain.series("loss")[0]) == 1


def test_success_over_all_tasks_is_their_mean(tmp_path):
    rows = [
        {"step": 1, "total_steps": 500, "success/a": 0.2, "success/b": 0.6},
        {"step": 2, "total_steps": 1000, "success/a": 1.0},  # no episode of b ended
        {"step": 3, "total_steps": 1500, "success/a": 0.4, "success/b": 1.0},
    ]
    write_lines(tmp_path / "rl_scratch" / "seed0" / "metrics.jsonl", [json.dumps(row) for row in rows])
    x, y = load_logs(tmp_path)[0].series("success", "env_steps")
    assert list(x) == [500, 1500] and y == pytest.approx([0.4, 0.7])


def test_curves_of_few_points_that_miss_each_other(tmp_path):
    for seed, steps in ((0, (1, 5)), (1, (2, 3))):
        rows = [json.dumps({"step": s, "success": 0.1 * s}) for s in steps]
        write_lines(tmp_path / "a" / f"seed{seed}" / "metrics.jsonl", rows)
    found = curve(load_logs(tmp_path), "success")
    assert found.seeds == 2 and found.mean == pytest.approx(0.1 * found.x)


def test_a_seed_under_way_is_left_out(tmp_path):
    """A run that gained a seed: neither its half evaluated cells nor its half trained policy are compared."""

    def edit(rows):
        late = [dict(row, train_seed=9) for row in rows if row["arm"] == "pretrained_rl" and row["train_seed"] == 0]
        return [*rows, *late[:3]]

    write_results(tmp_path, edit=edit)
    write_metrics(tmp_path)
    short = [json.dumps({"step": 1, "env_steps": 100, "success/tabletop/push": 0.0, "success": 0.0})]
    write_lines(tmp_path / "checkpoints/pretrained_rl/seed9/metrics.jsonl", short)
    _, _, numbers = built(tmp_path)
    (tmp_path / "plain").mkdir()
    write_results(tmp_path / "plain")
    write_metrics(tmp_path / "plain")
    _, _, plain = built(tmp_path / "plain")
    assert numbers["headline"] == plain["headline"] and numbers["transfer"] == plain["transfer"]
    assert "RL budgets differ" not in " ".join(numbers["caveats"]["list"])


def test_curves_average_seeds(tmp_path):
    for seed, slope in ((0, 1.0), (1, 3.0)):
        rows = [json.dumps({"step": s, "success": slope * s}) for s in range(0, 101, 1 + seed)]
        write_lines(tmp_path / "a" / f"seed{seed}" / "metrics.jsonl", rows)
    found = curve(load_logs(tmp_path), "success", "env_steps", points=11)
    assert found.seeds == 2 and found.x[[0, -1]] == pytest.approx([0, 100])
    middle = slice(1, -1)
    assert found.mean[middle] == pytest.approx(2 * found.x[middle], rel=0.1)
    assert found.low[middle] == pytest.approx(found.x[middle], rel=0.1)
    assert found.high[middle] == pytest.approx(3 * found.x[middle], rel=0.1)


def test_videos_are_found_by_name(tmp_path):
    write_videos(tmp_path, ("pretrained_rl",))
    nested = tmp_path / "videos" / "rl_scratch" / "tabletop" / "pick-place_12_success.mp4"
    nested.parent.mkdir(parents=True)
    nested.write_bytes(b"1234")
    nested.with_suffix(".json").write_text('{"axis": "object"}')
    seeded = tmp_path / "videos" / "random" / "tabletop-push_seed3_goal_0012_failure.mp4"
    seeded.parent.mkdir()
    seeded.write_bytes(b"1234")
    found = find_videos(tmp_path / "videos")
    random = found.pop(next(i for i, v in enumerate(found) if v.arm == "random"))
    assert len(found) == 10
    assert (random.arm, random.task, random.axis, random.index) == ("random", "tabletop-push", "goal", 12)
    last = found[-1]
    assert (last.arm, last.task, last.axis, last.index, last.success) == (
        "rl_scratch", "tabletop/pick-place", "object", 12, True,
    )  # fmt: skip
    assert found[0].axis == "goal" and same_task(found[0].task, TASKS[0])
    assert last.bytes == 8 and last.data_uri() == "data:video/mp4;base64,MTIzNA=="
    chosen = choose(found, 10_000)
    assert len(chosen) == 4 and len({(v.task, v.success) for v in chosen}) == 4  # within the budget, no repeats


def test_the_page_keeps_its_size(tmp_path):
    write_results(tmp_path, contexts=5)
    write_videos(tmp_path, content=b"\0" * 400_000)
    parsed, text, numbers = built(tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 5_000_000
    assert parsed.tags.count("video") == len(numbers["videos"]["shown"]) == 6
    assert numbers["videos"]["left_out"] == 12 and "12 more did not fit" in text


def test_a_new_section_is_one_function(tmp_path, monkeypatch):
    from trunkline.rollout.report import registry

    names = [name for name, _ in sections(True)]
    monkeypatch.setattr(registry._SECTIONS, "_parts", dict(registry._SECTIONS._parts))
    monkeypatch.setattr(registry, "_ORDER", dict(registry._ORDER))

    @section("heat_map", order=45)
    def heat_map(report):
        return Block("Sensors and tasks", f"<p>{len(report.run.results.tasks)} tasks</p>", {"tasks": 3})

    @section("absent", order=46)
    def absent(report):
        return None

    assert [name for name, _ in sections(True) if name not in ("heat_map", "absent")] == names
    write_results(tmp_path, contexts=5)
    parsed, text, numbers = built(tmp_path)
    assert numbers["heat_map"] == {"tasks": 3} and "3 tasks" in text
    assert "heat_map" in parsed.ids and "absent" not in parsed.ids


def test_colours_can_be_told_from_the_page():
    """WCAG: graphics at least 3:1 against the background, text 4.5:1."""

    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(a, b):
        low, high = sorted((luminance(a), luminance(b)))
        return (high + 0.05) / (low + 0.05)

    shown = [*arms.ARMS.values(), *(arms.arm(f"unknown{i}") for i in range(4))]
    for arm in shown:
        assert contrast(arm.light, page.LIGHT["page"]) >= 3, arm
        assert contrast(arm.dark, page.DARK["page"]) >= 3, arm
    for colors in (page.LIGHT, page.DARK):
        assert contrast(colors["ink"], colors["page"]) >= 7
        assert contrast(colors["quiet"], colors["page"]) >= 4.5


def test_ticks_are_round_and_within():
    assert ticks(0, 200_000) == [0, 50_000, 100_000, 150_000, 200_000]
    assert ticks(0.013, 0.094) == [0.02, 0.04, 0.06, 0.08]
    assert ticks(0.02, 30, log=True) == [0.1, 1, 10]
    assert [short(n) for n in (0, 50_000, 1_500_000, 0.25)] == ["0", "50k", "1.5M", "0.25"]


def test_the_record_of_stages_is_shown(full, tmp_path):
    _, _, text, numbers = full
    assert "3 min 24 s" in text and "1,600,000" in text and numbers["method"]["compute"]
    write_results(tmp_path, {"random": RATES["random"]}, contexts=5)
    record = {"seconds": 4000.0, "frames": 10, "command": "trunkline run experiment=tiny"}
    stages = {"collect": record | {"done": True}, "rl": record | {"done": False}}
    (tmp_path / "stages.json").write_text(json.dumps(stages))
    _, text, _ = built(tmp_path)
    assert "rl (unfinished)" in text and "2 h 13 min" in text and text.count("trunkline run experiment=tiny") == 1
    side_by_side = {"a": [[0, 4000]], "b": [[100, 200], [3000, 5000]], "c": [[6000, 6100]]}
    stages = {n: {"seconds": sum(b - a for a, b in spans), "spans": spans} for n, spans in side_by_side.items()}
    stages["b"]["seconds"] += 60  # of an attempt whose span is not known
    (tmp_path / "stages.json").write_text(json.dumps(stages))
    assert "Together1 h 26 min" in built(tmp_path)[1]
