"""What a grid becomes: which jobs share what, and what is refused before anything runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from trees import write_all
from trees.tags import write_mtat
from typer.main import get_command
from typer.testing import CliRunner

from benchmark import registry
from benchmark.audio import separate
from benchmark.cli.main import app
from benchmark.corpora.datasets.dataset import DATA_HOME
from benchmark.corpora.datasets.tags.mtat import MagnaTagATune
from benchmark.encoders.contestants.contestant import Contestant
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.grid_files import change, load, names, narrow, variants
from benchmark.scheduler.jobs import _recipe
from benchmark.scheduler.planning.plan import plan, select
from benchmark.scheduler.planning.rows import rows

GRID = {
    "name": "toy",
    "corpus": "rendered_scores",
    "size": "tiny",
    "strategies": {"simclr": {}},
    "encoders": ["cnn_small"],
    "tasks": ["instrument", "key"],
    "fractions": {0.1: 3, 1.0: 1},
    "probes": ["linear"],
    "seeds": [0, 1],
    "pretrain": {"crops": 640},
}


def grid(**changes: Any) -> Grid:
    return Grid.model_validate({**GRID, **changes})


def kinds(planned: Grid) -> Counter[str]:
    return Counter(job.kind for job in plan(planned).values())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home with every data set in miniature."""
    root = tmp_path_factory.mktemp("homes")
    write_all(root)
    return root


ALL = [name for grid in names() for name in (grid, *(f"{grid}:{variant}" for variant in variants(grid)))]


@pytest.mark.parametrize("name", ALL)
def test_every_grid_of_the_package_plans(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_HOME, str(home))
    monkeypatch.setattr(separate, "separator_version", lambda _: "installed")
    monkeypatch.setattr(Contestant, "fingerprint", classmethod(lambda cls: "installed"))
    jobs = plan(load(name))
    assert any(job.kind in ("probe", "supervised") for job in jobs.values())


def test_a_papers_grid_is_on_its_own_data_and_says_what_there_is_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_HOME, raising=False)
    own = {name: load(name).corpora for name in ("clmr", "semisupcon", "multisource", "multiview", "choi")}
    assert own == {
        "clmr": ["mtat"],
        "semisupcon": ["fma_medium", "mtat"],
        "multisource": ["mtat"],
        "multiview": ["mtg_jamendo"],
        "choi": ["fma_small"],
    }
    with pytest.raises(UserError, match=r"mtat: say where your data sets are: .* Without it: --grid clmr:embedded"):
        plan(load("clmr"))
    assert load("clmr:embedded").name == "clmr-embedded"
    with pytest.raises(UserError, match="did you mean 'embedded'"):
        load("clmr:embeded")
    with pytest.raises(UserError, match=r"^smoke:embedded: smoke has no variants$"):
        load("smoke:embedded")


def test_corpora_are_pretrained_on_side_by_side(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_HOME, str(home))
    rows: dict[str, Any] = {"random": {}, "semisupcon": {"tags": ["tags"], "threshold": 1}}
    jobs = plan(grid(corpus=["rendered_scores", "mtat"], strategies=rows, tasks=["mtat_tags"]))
    stores = {job.spec["corpus"]: key for key, job in jobs.items() if job.kind == "waveforms"}
    assert set(stores) == {"rendered_scores", "mtat"}
    assert {"pretrain", "probe"} <= {job.kind for job in jobs.values()}
    for job in jobs.values():
        if job.kind == "pretrain":
            labels = [jobs[key] for key in job.spec.get("labels", {}).values()]
            assert [one.spec["columns"] for one in labels] == ([["tags"]] if "tags" in job.spec["options"] else [])
            assert job.spec["needs"] == [stores["rendered_scores"], stores["mtat"], *(one.key for one in labels)]
            assert job.spec["corpus"] == ["rendered_scores", "mtat"]
        if job.kind == "probe":
            assert job.spec["pretrain_corpus"] == "rendered_scores/tiny + mtat/all"
    monkeypatch.setattr(MagnaTagATune, "sample_rate", 22_050)
    with pytest.raises(UserError, match=r"need one sample rate, these have rendered_scores 16000 Hz, mtat 22050 Hz"):
        plan(grid(corpus=["rendered_scores", "mtat"], tasks=["key"]))
    for wrong, says in (([], "name a corpus"), (["mtat", "mtat"], "'mtat' is listed twice")):
        with pytest.raises(ValidationError, match=says):
            grid(corpus=wrong)


def test_a_plan_is_a_pure_function() -> None:
    assert list(plan(grid())) == list(plan(grid()))


def test_variants_are_rows_and_equal_ones_share_a_checkpoint() -> None:
    one = kinds(grid())
    variants = grid(
        strategies={
            "simclr": {},
            "again": {"strategy": "simclr"},
            "apart": {"strategy": "simclr", "positives": "disjoint"},
        }
    )
    three = kinds(variants)
    assert one["pretrain"] == 2, "one per seed"
    assert three["pretrain"] == three["embed"] == 4
    assert three["probe"] == 3 * one["probe"]
    assert {job.spec["strategy"] for job in plan(variants).values() if job.kind == "probe"} == {
        "simclr",
        "again",
        "apart",
    }


def test_what_a_grid_does_not_list_is_added_with_default_options() -> None:
    """Beside what it lists, which keeps its own; a plugin's strategy needs no grid of its own."""
    chosen = narrow(grid(strategies={"simclr": {"temperature": 0.2}}), strategies=["byol", "simclr"], tasks=["mode"])
    assert chosen.strategies == {"byol": {}, "simclr": {"temperature": 0.2}}
    assert chosen.tasks == ["mode"]
    assert {row.name for row in rows(chosen)} == {"byol", "simclr"}
    with pytest.raises(UserError, match="unknown name 'my_idea' among the strategies"):
        plan(narrow(grid(), strategies=["my_idea"]))
    for options in ("run", "plan"):
        told = " ".join(CliRunner().invoke(app, [options, "--help"], env={"COLUMNS": "200"}).output.split())
        assert told.count("What it does not list is added, with default options.") == 2


def test_a_row_may_name_its_own_encoders() -> None:
    """Keys are those of a grid whose encoder that is; rows without any stay what they were."""
    tokens, both = {"strategy": "mae", "encoders": ["vit"]}, {"strategy": "mae", "encoders": ["vit", "resnet"]}
    mixed = grid(strategies={"simclr": {}, "tokens": tokens, "both": both})
    assert [(row.name, row.checkpoints(mixed)) for row in rows(mixed)] == [
        ("simclr", [("cnn_small", 0), ("cnn_small", 1)]),
        ("tokens", [("vit", 0), ("vit", 1)]),
        ("both", [("vit", 0), ("vit", 1), ("resnet", 0), ("resnet", 1)]),
    ]
    assert mixed.all_encoders == ["cnn_small", "vit", "resnet"]
    jobs, alone = plan(mixed), plan(grid(strategies={"tokens": {"strategy": "mae"}}, encoders=["vit"]))
    assert plan(grid()).keys() | alone.keys() <= jobs.keys()
    assert {job.spec["encoder"] for job in jobs.values() if job.spec.get("strategy") == "tokens"} == {"vit"}
    assert narrow(mixed, strategies=["tokens", "byol"]).all_encoders == ["vit", "cnn_small"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"encoders": []}, r"simclr\.encoders: \[\] is not a list of encoders"),
        ({"encoders": "vit"}, r"simclr\.encoders: 'vit' is not a list"),
        ({"encoders": ["vit", "vit"]}, "'vit' is listed twice"),
    ],
)
def test_encoders_of_a_row_that_make_no_sense_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        grid(strategies={"simclr": options})


def test_the_masked_family_on_a_cnn_is_called_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    masked = ("mae", "m2d", "masked_contrastive")
    planned = grid(strategies={name: {} for name in ("simclr", *masked)}, encoders=["cnn_small", "vit"], seeds=[0])
    jobs = plan(planned)
    kinds_of = {job.kind for job in jobs.values() if "(CNN masking)" in job.name}
    assert kinds_of == {"preflight", "pretrain", "embed", "probe"}
    told = {(job.spec["strategy"], job.spec["encoder"]) for job in jobs.values() if "CNN masking" in job.name}
    assert told == {(name, "cnn_small") for name in masked}
    assert "pretrain mae cnn_small (CNN masking) seed 0" in {job.name for job in jobs.values()}
    noted = {row.name: row.variants(planned) for row in rows(planned)}
    assert noted == {"simclr": {}, **{name: {"cnn_small": "CNN masking"} for name in masked}}
    tuned = plan(planned.model_copy(update={"protocol": "finetune"}))
    assert any(job.name.startswith("finetune m2d cnn_small (CNN masking) seed 0 on") for job in tuned.values())
    monkeypatch.setattr("strategies.mae.MAE.without_tokens", "another name")
    assert plan(planned).keys() == jobs.keys(), "a name is no part of a result"


def test_full_has_a_token_block() -> None:
    found = {row.strategy: row.checkpoints(load("full")) for row in rows(load("full")) if row.name.endswith("_tokens")}
    assert found.keys() == {"random", "simclr", "mae", "m2d", "masked_contrastive"}
    assert all({encoder for encoder, _ in pairs} == {"vit"} for pairs in found.values())


def test_supervised_trains_on_every_subset() -> None:
    assert kinds(grid(strategies={"supervised": {}}))["supervised"] == 2 * 2 * (3 + 1)
    assert "pretrain" not in kinds(grid(strategies={"supervised": {}}))


def test_a_row_may_have_fewer_seeds_and_label_draws_than_the_others() -> None:
    """The first of the grid's; probes of all draws are one job, of which nothing would be saved."""
    few = plan(grid(strategies={"supervised": {"seeds": 1, "draws": {0.1: 2}}, "simclr": {}}))
    all_of_them = plan(grid(strategies={"supervised": {}, "simclr": {}}))
    assert set(few) < set(all_of_them)
    trained = [job.spec for job in few.values() if job.kind == "supervised"]
    assert Counter((spec["seed"], spec["fraction"]) for spec in trained) == {(0, 0.1): 2 * 2, (0, 1.0): 2 * 1}
    assert {spec["resample"] for spec in trained if spec["fraction"] == 0.1} == {0, 1}
    assert grid(strategies={"supervised": {"draws": {0.1: 9, 0.5: 9}}}).draws_of("supervised") == {0.1: 3, 1.0: 1}
    with pytest.raises(UserError, match=r"strategies\.simclr\.draws: probes read all draws"):
        plan(grid(strategies={"simclr": {"draws": {0.1: 1}}}))
    for wrong in ({"seeds": 0}, {"seeds": [0]}, {"draws": 3}, {"draws": {0.1: 0}}, {"draws": {"a": 1}}):
        with pytest.raises(ValidationError, match=rf"supervised\.{next(iter(wrong))}: "):
            grid(strategies={"supervised": wrong})


def test_an_untrained_encoder_hears_the_corpus_only_to_settle_on_it() -> None:
    """`random` is read out as trained rows are; its key depends on what it settles on, and on nothing of training."""
    both = grid(strategies={"random": {}, "random_unsettled": {}}, seeds=[0])
    jobs = {job.name: job for job in plan(both).values()}
    (joined,) = [key for key, job in plan(both).items() if job.kind == "waveforms"]
    settled, off = jobs["settle random cnn_small seed 0"], jobs["export random_unsettled cnn_small seed 0"]
    assert settled.needs == (joined,)
    assert settled.spec["settled"] == {"batch_size": 64}
    assert off.needs == ()
    assert not {"corpus", "settled"} & set(off.spec)
    corpora = {job.spec["strategy"]: job.spec["pretrain_corpus"] for job in jobs.values() if job.kind == "probe"}
    assert corpora == {"random": "rendered_scores/tiny", "random_unsettled": "none"}
    made = {job.name for job in jobs.values() if job.kind in ("pretrain", "preflight")}
    assert made == {settled.name, off.name, "preflight instrument", "preflight key"}

    def key(**pretrain: Any) -> str:
        planned = plan(both.model_copy(update={"pretrain": both.pretrain.model_copy(update=pretrain)}))
        return next(key for key, job in planned.items() if job.name == settled.name)

    assert key(crops=6400, precision="32-true", learning_rate=0.1) == settled.key
    assert key(batch_size=32) != settled.key


def test_labels_are_learned_as_the_supervised_row_says() -> None:
    """Its options and the budget are in the key, also of fine-tuning, which takes those of the grid's own row."""

    def trainings(**changes: Any) -> dict[str, dict[str, Any]]:
        return {key: job.spec for key, job in plan(grid(**changes)).items() if job.kind == "supervised"}

    row: dict[str, Any] = {"strategies": {"supervised": {}}}
    plain = trainings(**row)
    assert {(spec["teacher"]["strategy"], spec["crops"]) for spec in plain.values()} == {("supervised", 640)}
    assert not plain.keys() & trainings(**row, pretrain={"crops": 641}).keys()
    assert not plain.keys() & trainings(strategies={"supervised": {"learning_rates": [0.01]}}).keys()
    few, many = ({"supervised": {"crops": crops}} for crops in (64, 6400))
    assert {spec["crops"] for spec in trainings(strategies=few).values()} == {64}
    assert {spec["crops"] for spec in trainings(strategies=many).values()} == {640}
    longer = [trainings(strategies=few, pretrain={"crops": crops}).keys() for crops in (640, 641)]
    assert longer[0] == longer[1], "it is not trained again where pretext tasks hear more"
    tuned = trainings(protocol="finetune")
    asked = trainings(protocol="finetune", strategies={"simclr": {}, "mine": {"strategy": "supervised", "noise_p": 0}})
    assert {spec["teacher"]["options"]["noise_p"] for spec in tuned.values()} == {0.5}
    assert {spec["teacher"]["options"]["noise_p"] for spec in asked.values()} == {0.0}
    assert {spec["strategy"] for spec in asked.values()} == {"simclr", "mine"}


@pytest.mark.parametrize(
    ("options", "augmented"),
    [
        ({}, {"key", "instrument", "tempo", "beat", "chord"}),
        ({"preset": "none"}, set()),
        ({"pitch_shift_cents": 200}, {"instrument", "tempo", "beat"}),
        ({"pitch_shift_cents": 200, "pitch_shift": False}, {"key", "instrument", "tempo", "beat", "chord"}),
        ({"preset": "choi"}, {"instrument"}),
        ({"preset": "choi", "pitch_shift": False}, {"key", "instrument"}),
    ],
)
def test_only_augmentation_that_leaves_a_task_s_labels_true_is_tried(
    options: dict[str, Any], augmented: set[str]
) -> None:
    """Pitch shift moves keys and chords; a change of speed also tempo, and where beats and chords are."""
    names = ["key", "instrument", "tempo", "beat", "chord"]
    jobs = plan(grid(strategies={"supervised": options}, tasks=names)).values()
    spec = next(job.spec for job in jobs if job.kind == "supervised")
    recipes = {name: _recipe(spec, registry.tasks.get(name)()) for name in names}
    assert {name for name, recipe in recipes.items() if recipe.settings[0].augmented} == augmented
    assert {len(recipe.settings) for recipe in recipes.values()} <= {2, 3}
    assert all(recipe.settings[0].rate == 1e-2 for recipe in recipes.values()), "the searched one comes first"


def test_stems_are_part_of_the_key_only_where_they_are_heard() -> None:
    def joined(planned: Grid) -> list[str]:
        return [key for key, job in plan(planned).items() if job.kind == "waveforms"]

    alone, beside = grid(), grid(strategies={"simclr": {}, "multi_source": {}})
    assert len(joined(alone)) == 1
    assert joined(grid(strategies={"byol": {}})) == joined(alone)
    assert len(joined(beside)) == 2
    assert plan(alone).keys() <= plan(beside).keys(), "who listens to no stem keeps all that it had"
    heard = {job.name: job.spec["needs"] for job in plan(beside).values() if job.kind == "pretrain"}
    assert heard["pretrain simclr cnn_small seed 0"] == joined(alone)
    assert heard["pretrain multi_source cnn_small seed 0"] != joined(alone)


def test_a_budget_scales_pre_training() -> None:
    assert narrow(grid(), budget=0.1).pretrain.crops == 64


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": [0, 0]}, "0 is listed twice"),
        ({"seeds": [-1]}, "a seed is between"),
        ({"probes": ["linear", "linear"]}, "listed twice"),
        ({"fractions": {}}, "fractions"),
        ({"strategies": {"a/b": {"strategy": "simclr"}}}, "'a/b': a name is"),
        ({"strategies": ["simclr", "byol", "simclr"]}, "'simclr' is listed twice"),
        ({"strategies": {"simclr": {"pretrain": {"batchsize": 3}}}}, r"pretrain\.batchsize: .*mean 'batch_size'\?"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        grid(**changes)


def test_labels_are_heard_only_where_shares_are_positive() -> None:
    def tags(**options: Any) -> tuple[str, ...]:
        row = rows(grid(strategies={"semisupcon": options}))[0]
        return row.cls.crops(row.config).tags

    assert tags() == ("family", "mode", "metre")
    assert tags(leave_out=["mode"]) == ("family", "metre")
    assert tags(label_share=0) == tags(batch_share=0) == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"strategies": {"mae": {}}, "encoders": ["sample_cnn"]}, "mae cannot train sample_cnn.* offers mel"),
        ({"strategies": {"pesto": {}}}, "pesto cannot train cnn_small.* offers log_frequency"),
        ({"strategies": {"stone": {}}, "encoders": ["vit"]}, "stone cannot train vit.* offers log_frequency"),
        ({"strategies": {"multi_source": {"sources": ["kazoo"]}}}, "nobody makes the stems kazoo"),
        (
            {"strategies": {"multi_source": {"sources": ["harmonic", "vocals"]}}},
            "nobody makes the stems harmonic, vocals",
        ),
        ({"strategies": {"x": {"strategy": "simclr", "temprature": 1}}}, r"strategies\.x\.temprature"),
        ({"strategies": {"simclr": {"negatives": "within"}}}, "positives 'self' or 'disjoint'"),
        ({"size": "hug"}, "hug"),
        ({"strategies": {"simclr": {"seconds": 9.0}}}, r"strategies\.simclr: 1 x 9\.0 s do not fit .* 8\.0 s"),
        (
            {"strategies": {"simclr": {"seconds": 5.0, "positives": "disjoint"}}},
            r"2 x 5\.0 s do not fit into the tracks of rendered_scores",
        ),
        ({"encoders": ["mfcc_chroma"]}, "simclr cannot train mfcc_chroma: there is nothing to train"),
        ({"strategies": {"simclr": {"positives": "self", "preset": "crop_only"}}}, "makes equal views"),
        ({"strategies": {"simclr": {"temperature": 0}}}, r"strategies\.simclr\.temperature"),
        ({"strategies": {"byol": {"half_life": 100, "decay": 0.9}}}, r"strategies\.byol\..*give either half_life"),
        ({"strategies": {"mfcc": {"encoders": ["vit"]}}}, r"mfcc\.encoders: mfcc brings its own, mfcc_chroma"),
        ({"strategies": {"simclr": {"encoders": ["vitt"]}}}, "did you mean 'vit'"),
    ],
)
def test_what_cannot_work_is_refused_while_planning(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        plan(grid(**changes))


def test_a_threshold_that_no_two_clips_reach_is_refused_while_planning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Annotation files are there before anything runs; clips of test count for nothing."""
    held = [["cello", "slow"], ["cello", "solo"], ["cello", "slow", "solo", "opera"]]
    paths = [f"0/a-b-0{i}-c-0-29.mp3" for i in range(1, 4)]
    write_mtat(tmp_path / "mtat", [(i, paths[i - 1], "", tags) for i, tags in enumerate(held, 1)])
    for path in paths:
        (tmp_path / "mtat" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "mtat" / path).write_bytes(b"heard by nobody here")
    monkeypatch.setenv("MIR_DATA_HOME", str(tmp_path))

    def planned(**options: Any) -> dict[str, Any]:
        row = {"strategy": "semisupcon", "tags": ["tags"], **options}
        return plan(
            grid(
                corpus="mtat", size="all", strategies={"tagged": row}, tasks=["key"], sizes={"rendered_scores": "tiny"}
            )
        )

    assert any(job.kind == "pretrain" for job in planned(threshold=2).values())
    says = r"strategies\.tagged on mtat: threshold 3: no two of the 3 .* at most 4; 1 pairs share 1, 2 pairs share 2\."
    with pytest.raises(UserError, match=says):
        planned(threshold=3)
    with pytest.raises(UserError, match=r"strategies\.tagged on mtat: the corpus has no tag mood"):
        planned(tags=["mood"])
    monkeypatch.setattr(registry.tasks.get("mtat_tags"), "labels", ("genre",))
    with pytest.raises(UserError, match="mtat has no labels 'genre'; its columns are id, "):
        plan(grid(tasks=["mtat_tags"]))


def test_who_hears_labels_is_tried_on_the_catalogs() -> None:
    def tried(**options: Any) -> tuple[str, ...]:
        jobs = plan(grid(strategies={"semisupcon": options})).values()
        return next(job.needs for job in jobs if job.name == "preflight semisupcon on cnn_small")

    catalog = next(job for job in plan(grid()).values() if job.kind == "catalog")
    assert tried() == (catalog.key,)
    assert tried(label_share=0) == ()


def test_a_preset_that_changed_has_new_keys_and_no_other() -> None:
    """Chains of two papers were put right: what was heard through them before is no longer taken for done."""

    def said(preset: str) -> Any:
        jobs = plan(grid(strategies={"simclr": {"preset": preset}})).values()
        return next(job.spec.get("options_version") for job in jobs if job.kind == "pretrain")

    assert {preset: said(preset) for preset in ("pretext", "choi", "crop_only", "clmr", "semisupcon")} == {
        **dict.fromkeys(("pretext", "choi"), 2),
        **dict.fromkeys(("clmr", "semisupcon"), 3),
        "crop_only": None,
    }


def test_a_frame_level_task_joins_without_touching_the_others() -> None:
    before, after = plan(grid()), plan(grid(tasks=["instrument", "key", "beat"]))
    assert before.keys() <= after.keys()
    assert Counter(job.kind for key, job in after.items() if key not in before) == {
        "preflight": 1,
        "embed": 2,
        "probe": 2,
    }


def test_what_is_made_from_the_same_is_made_by_one_job_and_no_key_knows() -> None:
    """Clips and frames of one encoder on one corpus, a corpus with and without its stems; by whoever is first."""
    rows = {"simclr": {}, "multi_source": {"sources": ["lead"]}}
    both = plan(grid(tasks=["instrument", "beat", "chord"], strategies=rows, seeds=[0]))
    carried = {job.name: [one.name for one in job.carries] for job in both.values() if job.carries}
    for row in rows:
        clips, frames = (f"embed {reads} of rendered_scores by {row} cnn_small seed 0" for reads in ("clips", "frames"))
        assert carried.pop(clips) == [frames]
    assert len(carried) > 1
    assert all(others == [name.replace("tiny", "tiny with stems")] for name, others in carried.items())
    for job in both.values():
        for carrier in job.rides:
            assert any(one.key == job.key for one in both[carrier].carries)
            assert set(job.needs) == set(both[carrier].needs)
    alone = [plan(grid(tasks=[task], strategies=rows, seeds=[0])) for task in ("instrument", "beat", "chord")]
    assert set(both) == set().union(*alone)
    separated = plan(grid(strategies={"multi_source": {"sources": ["percussive"]}, "simclr": {}}))
    assert not any(job.carries for job in separated.values() if job.kind == "shard")


def test_demucs_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = grid(strategies={"multi_source": {"sources": ["vocals"]}})
    monkeypatch.setattr("benchmark.audio.separate.separator_version", lambda name: "")
    with pytest.raises(UserError, match=r"pip install 'mir-pretext\[separate\]'"):
        plan(wanted)


def test_stems_are_the_corpus_own_or_separated() -> None:
    def shards(*sources: str) -> list[Any]:
        planned = plan(grid(strategies={"multi_source": {"sources": list(sources)}}))
        return [job.spec for job in planned.values() if job.kind == "shard" and job.spec["stems"]]

    assert all("separator" not in spec for spec in shards("drums", "lead"))
    assert all(spec["separator"][0] == "hpss" for spec in shards("harmonic"))


def test_a_batch_that_devices_cannot_share_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="batch_size 32 cannot be shared by 3 devices"):
        grid(pretrain={"crops": 640, "batch_size": 32, "devices": 3})


def test_finetuning_starts_from_the_same_checkpoints() -> None:
    probed, tuned = plan(grid()), plan(grid(protocol="finetune"))
    checkpoints = {key for key, job in probed.items() if job.kind == "pretrain"}
    assert checkpoints == {key for key, job in tuned.items() if job.kind == "pretrain"}
    trainings = [job for job in tuned.values() if job.kind == "supervised"]
    assert len(trainings) == 2 * 2 * (3 + 1), "seeds, tasks, subsets"
    assert all(checkpoints & set(job.needs) for job in trainings)
    assert not any(job.kind in ("embed", "probe") for job in tuned.values())


def test_every_part_is_tried_before_the_long_jobs() -> None:
    jobs = plan(grid(tasks=["instrument", "beat"], strategies={"simclr": {}, "random": {}, "supervised": {}}))
    tried = {key for key, job in jobs.items() if job.kind == "preflight"}
    assert {jobs[key].name for key in tried} == {
        "preflight instrument",
        "preflight beat",
        "preflight simclr on cnn_small",
    }
    for job in jobs.values():
        if job.kind in ("probe", "supervised") or job.name.startswith("pretrain simclr"):
            assert tried & set(job.needs), f"{job.name} starts untried"
            assert not tried & set(job.spec["needs"]), "its result does not depend on the trial"


def test_a_selection_takes_along_what_it_needs_and_drops_what_needs_the_excluded() -> None:
    jobs = plan(grid())
    chosen = select(jobs, only=["probe simclr cnn_small seed 1 on *"])
    assert Counter(job.kind for job in chosen.values() if job.kind in ("pretrain", "embed", "probe")) == {
        "pretrain": 1,
        "embed": 1,
        "probe": 2,
    }
    assert all(need in chosen for job in chosen.values() for need in job.needs)
    rest = select(jobs, exclude=["pretrain * seed 1"])
    assert jobs.keys() - rest.keys() == {key for key, job in jobs.items() if "seed 1" in job.name}
    assert select(jobs) == jobs
    with pytest.raises(UserError, match="'nonsense' matches no job"):
        select(jobs, only=["nonsense"])


CORRUPTED = {"corruptions": {"noise": [1, 4], "reverse": [2]}}


def test_keys_do_not_depend_on_the_order_of_lists() -> None:
    """A fault of several peers: the same grid, written in another order, was run again."""
    written = grid(strategies={"simclr": {}, "random": {}, "supervised": {}}, probes=["linear", "mlp"], **CORRUPTED)
    turned = grid(
        strategies={"supervised": {}, "random": {}, "simclr": {}},
        probes=["mlp", "linear"],
        tasks=["key", "instrument"],
        seeds=[1, 0],
        fractions={1.0: 1, 0.1: 3},
        corruptions={"reverse": [2], "noise": [4, 1]},
    )
    assert plan(written).keys() == plan(turned).keys()


def touched(changes: dict[str, Any]) -> set[str]:
    """Kinds of job whose keys a change to the grid alters."""
    before, after = plan(grid(**CORRUPTED)), plan(grid(**{**CORRUPTED, **changes}))
    return {job.kind for key, job in after.items() if key not in before}


def test_whatever_changes_a_result_changes_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of several peers: other weights, options or corruptions under the old name were taken for done."""
    behind = {"pretrain", "embed", "probe"}
    assert touched({}) == set()
    assert touched({"strategies": {"simclr": {"temperature": 0.2}}}) == {"preflight", *behind}
    assert touched({"pretrain": {"crops": 641}}) == behind
    assert touched({"seeds": [0, 1, 2]}) == behind
    assert touched({"corruptions": {"noise": [1, 3]}}) == {"embed", "probe"}
    assert touched({"fractions": {0.1: 4, 1.0: 1}}) == {"probe"}
    before = plan(grid(**CORRUPTED))
    monkeypatch.setattr("benchmark.scheduler.planning.conditions.CORRUPTION_VERSION", 99)
    louder = [job for key, job in plan(grid(**CORRUPTED)).items() if key not in before]
    assert {job.kind for job in louder} == {"embed", "probe"}
    assert all("corruption" in job.spec for job in louder if job.kind == "embed"), "clean embeddings stand"


def test_snapshots_are_read_beside_the_end() -> None:
    """One more embedding and probe per share, task and trained checkpoint; what has no training has no way."""
    rows: dict[str, Any] = {"simclr": {}, "random": {}, "same": {"strategy": "simclr"}}
    wanted = {"at": [0.5, 0.25], "tasks": ["key"]}
    plain, watched = plan(grid(strategies=rows)), plan(grid(strategies=rows, snapshots=wanted))
    more = {key: job for key, job in watched.items() if key not in plain}
    assert Counter(job.kind for job in more.values()) == {"snapshot": 4, "embed": 4, "probe": 8}, "2 shares, 2 seeds"
    assert all(job.spec["share"] in (0.25, 0.5) for job in more.values())
    assert {job.spec["task"] for job in more.values() if job.kind == "probe"} == {"key"}
    for job in more.values():
        if job.kind == "embed":
            assert more[job.needs[0]].spec["share"] == job.spec["share"]
            training = watched[more[job.needs[0]].spec["training"]]
            assert (training.kind, training.spec["seed"]) == ("pretrain", job.spec["seed"])
    assert not any(
        "share" in job.spec
        for job in plan(narrow(grid(snapshots={"at": [0.5], "tasks": ["key"]}), tasks=["instrument"])).values()
    )
    with pytest.raises(UserError, match="'kez'"):
        plan(grid(snapshots={"at": [0.5], "tasks": ["kez"]}))
    with pytest.raises(ValidationError, match=r"1\.0 is not a share"):
        grid(snapshots={"at": [1.0]})
    with pytest.raises(ValidationError, match="need the protocol probe"):
        grid(snapshots={"at": [0.5]}, protocol="finetune")


def test_snapshots_asked_for_later_leave_the_training_and_all_else_as_it_is() -> None:
    """It leaves them if it is to run; once it is done, the largest share that is asked for leaves the smaller ones."""
    plain = plan(grid(seeds=[0]))
    later = [plan(grid(seeds=[0], snapshots={"at": shares})) for shares in ([0.5], [0.25, 0.5, 0.75])]
    assert plain.keys() < later[0].keys() < later[1].keys()
    (training,) = (job for job in later[1].values() if job.kind == "pretrain")
    snapshots = [later[1][job.key] for job in training.carries]
    assert [job.spec["share"] for job in snapshots] == [0.75, 0.5, 0.25]
    for i, job in enumerate(snapshots):
        assert [one.key for one in job.carries] == [one.key for one in snapshots[i + 1 :]]
        assert set(job.rides) == {training.key, *(one.key for one in snapshots[:i])}
        assert job.spec["needs"] == training.spec["needs"]
        assert job.spec["budget"] == training.spec["budget"], "its end alone is another"
        assert training.key in job.needs, "a training that fails is not begun again for each"
    longer = plan(grid(seeds=[0], snapshots={"at": [0.5]}, pretrain={"crops": 641}))
    assert not {key for key, job in longer.items() if job.kind == "snapshot"} & later[0].keys()


def test_corruptions_asked_for_later_leave_the_training_and_clean_embeddings_as_they_are() -> None:
    budgets = {"pretrain": {"crops": [640, 1280], "schedule": "wsd", "warmup_crops": 320}}
    for more in ({}, budgets):
        clean, corrupted = plan(grid(**more)), plan(grid(**more, **CORRUPTED))
        assert {clean[key].kind for key in clean.keys() - corrupted.keys()} == {"probe"}, "which reads them, too"
        new = [corrupted[key] for key in corrupted.keys() - clean.keys()]
        assert {job.kind for job in new} == {"embed", "probe"}
        assert all("corruption" in job.spec for job in new if job.kind == "embed")


def test_a_control_learns_shuffled_labels_of_all_tracks_once_per_task() -> None:
    plain, controlled = plan(grid(seeds=[3, 1])), plan(grid(seeds=[3, 1], control=["simclr"]))
    more = [job for key, job in controlled.items() if key not in plain]
    assert [(job.kind, job.spec["task"], job.spec["seed"]) for job in more] == [
        ("control", "instrument", 3),
        ("control", "key", 3),
    ]
    assert all(job.spec["shuffle_labels"] and job.spec["fractions"] == [[1.0, 1]] for job in more)
    assert all(job.spec["shuffles"] > 1 for job in more)
    assert not any("shuffles" in job.spec for job in plain.values())
    assert all(job.needs[0] in plain for job in more), "embeddings are those of the probes"
    assert narrow(grid(control=["simclr"]), strategies=["random"]).control == []
    with pytest.raises(ValidationError, match="byol is not among the strategies"):
        grid(control=["byol"])


def test_values_are_replaced_deep_in_a_grid_and_still_checked() -> None:
    before, after = load("smoke"), load("smoke", dict([change("pretrain.batch_size=32"), change("seeds=[4, 5]")]))
    assert (after.pretrain.batch_size, after.seeds) == (32, [4, 5])
    assert after.pretrain.crops == before.pretrain.crops
    with pytest.raises(UserError, match=r"pretrain\.batch_sise: unknown name .*did you mean 'batch_size'"):
        load("smoke", dict([change("pretrain.batch_sise=32")]))
    with pytest.raises(UserError, match=r"write a\.b=c"):
        change("pretrain.batch_size")


def test_what_yaml_has_under_two_names_is_changed_under_one(tmp_path: Path) -> None:
    path, text = tmp_path / "grid.yaml", yaml.safe_dump({**GRID, "strategies": None})
    rows = "{a: &x {strategy: simclr, pretrain: {batch_size: 32}}, b: {<<: *x, temperature: 0.5}}"
    path.write_text(text.replace("strategies: null", f"strategies: {rows}"))
    changed = load(str(path), {"strategies.a.pretrain.batch_size": 128}).strategies
    assert (changed["a"]["pretrain"], changed["b"]["pretrain"]) == ({"batch_size": 128}, {"batch_size": 32})
    assert changed["b"]["temperature"] == 0.5
    path.write_text(text.replace("strategies: null", "strategies: [simclr]") + "sizes: {a: 1, 0.1: x, .1: y}\n")
    with pytest.raises(UserError, match=r"0\.1 is there twice"):
        load(str(path))
    path.write_text(text.replace("strategies: null", "strategies: &x {a: *x}"))
    with pytest.raises(UserError, match="not valid YAML"):
        load(str(path))


def test_fractions_narrow_and_widen_a_grid() -> None:
    assert narrow(grid(), fractions=[0.01, 0.1, 1.0]).fractions == {0.01: 3, 0.1: 3, 1.0: 1}
    assert narrow(grid(), fractions=[1.0]).fractions == {1.0: 1}
    with pytest.raises(UserError, match=r"^--fractions: 2\.0 is not a fraction"):
        narrow(grid(), fractions=[2.0])


def test_the_plan_command_takes_the_options_of_run() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    options = {name: {tuple(p.opts): (p.envvar, p.help) for p in commands[name].params} for name in ("run", "plan")}
    assert options["run"].pop(("--dry-run",))
    assert options["run"].pop(("--by",)), "of the leaderboard, which no plan shows"
    assert options["run"].pop(("--quiet",)), "of what it says while it goes on"
    assert options["plan"] == options["run"]
    assert options["plan"][("--data-dir",)][0] == "MIR_PRETEXT_DATA"


def test_an_option_set_in_a_list_of_strategies_keeps_the_others() -> None:
    changed = load("smoke", {"strategies.simclr.temperature": 0.2})
    assert changed.strategies == {**load("smoke").strategies, "simclr": {"temperature": 0.2}}
    with pytest.raises(UserError, match="seeds is not a mapping; set it as a whole"):
        load("smoke", {"seeds.first": 1})
    with pytest.raises(UserError, match="strategies"):
        load("smoke", {"strategies": [[1]]})


def test_leniency_about_missing_files_is_no_part_of_a_result() -> None:
    strict, lenient = plan(grid()), plan(grid(allow_missing=True))
    assert strict.keys() == lenient.keys()
    joined = [job for job in lenient.values() if job.kind == "waveforms"]
    assert all(job.spec["allow_missing"] for job in joined)


def test_a_selection_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="nothing is left to run"):
        select(plan(grid()), only=["probe *"], exclude=["pretrain *", "embed *"])


def test_a_long_plan_is_a_screen_and_all_of_it_at_will(tmp_path: Path) -> None:
    args = ["plan", "--grid", "smoke", "--data-dir", str(tmp_path), "--out", str(tmp_path / "out"), "--no-mlflow"]
    short, whole = (CliRunner().invoke(app, [*args, *more]).output.splitlines() for more in ([], ["--all"]))
    kinds = [line.split() for line in short[1:-2]]
    assert len(short) <= 20
    assert sum(int(words[1]) for words in kinds) == len(whole) - 1 > 40
    assert {words[0] for words in kinds} >= {"catalog", "shard", "pretrain", "embed", "probe"}
    assert short[-1] == whole[-1]
