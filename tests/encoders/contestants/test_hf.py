"""Models of the transformers family: tiny ones of random weights, saved as theirs are, beside the library's path."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.forked import quick
from safetensors.torch import load_file

from benchmark import registry
from benchmark.encoders.contestants.hf import encoder_of
from benchmark.interfaces import UserError
from benchmark.testing.modules import check_encoder

transformers = pytest.importorskip("transformers")
RATE = 16_000


@pytest.fixture(scope="module")
def hubert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HuBERT of three layers of 32 dimensions, that normalizes what it hears."""
    folder = tmp_path_factory.mktemp("models") / "tiny-hubert.v1"
    torch.manual_seed(0)
    made = transformers.HubertConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64, conv_dim=[16] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    transformers.HubertModel(made).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CLAP of two layers, with a text tower that is not read."""
    folder = tmp_path_factory.mktemp("models") / "tiny-clap"
    torch.manual_seed(0)
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    sound = {"patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 32}
    sound |= {"num_hidden_layers": 2}
    made = transformers.ClapConfig(text_config=text | {"vocab_size": 50}, audio_config=sound, projection_dim=24)
    transformers.ClapModel(made).save_pretrained(folder)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    return folder


@torch.no_grad()
def test_layers_are_those_of_the_librarys_own_path(hubert: Path) -> None:
    sound = torch.randn(2, RATE, generator=torch.Generator().manual_seed(1)) * 0.1
    prepare = transformers.AutoFeatureExtractor.from_pretrained(hubert)
    heard = prepare(list(sound.numpy()), sampling_rate=RATE, return_tensors="pt")
    model = transformers.AutoModel.from_pretrained(hubert).eval()
    layers = model(**heard, output_hidden_states=True).hidden_states
    assert len(layers) == 4
    wanted = {"": torch.stack(layers).mean(0), "#0": layers[0], "#3": layers[3], "#all": torch.cat(layers, 2)}
    for layer, expected in wanted.items():
        kind = encoder_of(f"hf:{hubert}{layer}")
        assert torch.allclose(kind().eval()(sound), expected, atol=1e-5)
        check_encoder(kind)


@torch.no_grad()
def test_a_models_own_rate_is_kept(hubert: Path, tmp_path: Path) -> None:
    """MERT is HuBERT by its layers, at 24 kHz, and by a name that the library does not know."""
    folder = tmp_path / "MERT"
    shutil.copytree(hubert, folder)
    _edit(folder / "config.json", model_type="mert_model", architectures=["MERTModel"])
    _edit(folder / "preprocessor_config.json", sampling_rate=24_000)
    kind = encoder_of(f"hf:{folder}")
    assert kind.frame_rate == 75
    check_encoder(kind)
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(RATE) / RATE)[None]
    native = torch.sin(2 * torch.pi * 440 * torch.arange(24_000) / 24_000)[None]
    model = transformers.HubertModel.from_pretrained(hubert).eval()
    resampled = kind().eval().features(tone)[:, 0]
    assert resampled.shape == native.shape
    middle = slice(4000, 20_000)
    assert (resampled / resampled.std() - native / native.std())[:, middle].abs().max() < 0.02
    assert torch.allclose(model(resampled).last_hidden_state, kind().eval().network(resampled).last_hidden_state)


@torch.no_grad()
def test_clap_embeds_a_clip(clap: Path) -> None:
    kind = encoder_of(f"hf:{clap}")
    check_encoder(kind)
    sound = torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(1)) * 0.1
    encoder = kind().eval()
    frames = encoder(sound)
    assert frames.shape == (1, 4, 24)
    assert (frames == frames[:, :1]).all()
    prepare = transformers.AutoFeatureExtractor.from_pretrained(clap)
    heard = prepare(encoder.features(sound)[0, 0].numpy(), sampling_rate=48_000, return_tensors="pt")
    found = transformers.ClapModel.from_pretrained(clap).eval().get_audio_features(**heard)
    found = getattr(found, "pooler_output", found)  # by version
    assert torch.allclose(torch.nn.functional.normalize(found), torch.nn.functional.normalize(frames[:, 0]), atol=1e-5)


def test_other_weights_are_another_encoder(hubert: Path, tmp_path: Path) -> None:
    folder = tmp_path / hubert.name
    shutil.copytree(hubert, folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\0")
    prints = {encoder_of(f"hf:{path}").fingerprint() for path in (hubert, folder, f"{folder}#1")}
    assert len(prints) == 3


def test_what_cannot_be_read_is_said(hubert: Path, clap: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not in the cache of models on this machine; where there is a network, 'hf"):
        encoder_of("hf:nobody/no-such-model")
    with pytest.raises(UserError, match="#4 is no layer; there are #0 to #3, and #all"):
        encoder_of(f"hf:{hubert}#4")
    with pytest.raises(UserError, match="CLAP gives one embedding of a clip"):
        encoder_of(f"hf:{clap}#2")
    with pytest.raises(UserError, match=r"lacks config\.json"):
        encoder_of(f"hf:{tmp_path}")
    folder = tmp_path / "text"
    shutil.copytree(hubert, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 16}))
    with pytest.raises(UserError, match="this model, bert, is not read here"):
        encoder_of(f"hf:{folder}")


@torch.no_grad()
def test_weights_of_old_files_are_read_as_tensors(hubert: Path, tmp_path: Path) -> None:
    """As MERT is published: `pytorch_model.bin`, with the names that PyTorch gave normalized weights before 2.0."""
    folder = tmp_path / "old"
    shutil.copytree(hubert, folder)
    _edit(folder / "config.json", model_type="mert_model", feature_extractor_cqt=False)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    legacy = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {}
    for name, tensor in weights.items():
        for new, old in legacy.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    assert len(renamed.keys() - weights.keys()) == 2
    torch.save(renamed, folder / "pytorch_model.bin")
    sound = torch.randn(1, RATE, generator=torch.Generator().manual_seed(1)) * 0.1
    found, expected = (encoder_of(f"hf:{path}")().eval()(sound) for path in (folder, hubert))
    assert torch.allclose(found, expected, atol=1e-6)
    _edit(folder / "config.json", feature_extractor_cqt=True)
    with pytest.raises(UserError, match="is a mert_model with feature_extractor_cqt, which takes its authors' code"):
        encoder_of(f"hf:{folder}")()


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("/tmp/unpickled-by-pretext"),))


def test_weights_that_lack_or_are_code_are_refused(hubert: Path, tmp_path: Path) -> None:
    deeper = tmp_path / "deeper"
    shutil.copytree(hubert, deeper)
    _edit(deeper / "config.json", num_hidden_layers=4)
    with pytest.raises(UserError, match=r"lacks 16 of the weights of a hubert, such as encoder\.layers\.3"):
        encoder_of(f"hf:{deeper}")()
    pickled = tmp_path / "pickled"
    shutil.copytree(hubert, pickled)
    (pickled / "model.safetensors").unlink()
    torch.save({"weight": Malicious()}, pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded without code of its authors"):
        encoder_of(f"hf:{pickled}")()
    assert not Path("/tmp/unpickled-by-pretext").exists()


def test_it_is_a_row_like_any_other(hubert: Path, data_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    args = [
        "--grid",
        "smoke",
        "--set",
        "size=tiny",
        "--plugin",
        f"hf:{hubert}",
        "--strategies",
        "tiny_hubert_v1,constant",
    ]
    done = quick("run", *args, "--tasks", "key", "--data-dir", str(data_dir), "--out", str(out), "--no-mlflow")
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(out / "scores.parquet")
    own = scores[scores["strategy"] == "tiny_hubert_v1"]
    assert len(own)
    assert np.isfinite(own["value"]).all()
    assert own["seed"].nunique() == 1
    assert "frozen, heard: see its model card" in (out / "leaderboard.html").read_text()
    unknown = quick("plan", "--grid", "smoke", "--plugin", "hf:nobody/none", "--out", str(out))
    assert unknown.returncode == 2
    assert "not in the cache of models on this machine" in " ".join(unknown.stderr.split())


def test_its_name_can_reach_a_path(hubert: Path) -> None:
    assert registry.is_name(encoder_of(f"hf:{hubert}#all").info.name)


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
