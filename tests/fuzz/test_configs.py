"""Configurations: what is read builds networks, optimizers and batches, or is refused in one line."""

import json

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from facegan.config import Config, from_dict
from facegan.data.reading.sampling import sample
from facegan.nets.discriminator import build_discriminator
from facegan.nets.generator import build_generator
from facegan.nets.vgg import Vgg19
from facegan.nets.vgg_weights import weights_name
from facegan.presets import preset
from facegan.records import parse_record
from facegan.study.design.arms import choose_design
from facegan.study.design.search_space import default_space, grid
from facegan.training.train import same_batches
from tests.fuzz.inputs import damaged, inputs, value_or_one_line

CLIPS = [np.arange(6), np.arange(6, 12)]
DEMO = json.dumps(preset("demo").to_dict()).encode()
POSTER = json.dumps(preset("poster").to_dict()).encode()


def use(config: Config) -> None:
    """What a study and a run do with a configuration; the networks are built without memory for their weights."""
    assert from_dict(json.loads(json.dumps(config.to_dict()))) == config
    hash((config, same_batches(config)))
    if config.vgg.weights != "imagenet":  # which would be downloaded
        weights_name(config.vgg)
    if config.warm_up:
        config.of_warm_up()
    for arm in choose_design("loo", config).arms:
        changed = arm.apply(config)
        changed.override(next(iter(grid(default_space(changed)))))
    with torch.device("meta"):
        generator, discriminator = build_generator(config.model), build_discriminator(config.model)
        Vgg19(config.vgg.width)
    torch.optim.Adam(generator.parameters(), lr=config.optim.generator_lr)
    torch.optim.SGD(discriminator.parameters(), lr=config.optim.discriminator_lr)
    weights = torch.tensor(list(config.loss.weights().values()))
    assert weights.isfinite().all() and weights.any()
    first = (config.warm_up + config.images) // config.optim.batch
    assert len(sample(CLIPS, config.seed, first, config.optim.batch, config.data.flip).source) == config.optim.batch


@st.composite
def of_another_size(draw: st.DrawFn) -> bytes:
    """Numbers that fit together, however large: a batch, its multiples, and the widths of the networks."""
    values = preset(draw(st.sampled_from(("demo", "hour")))).to_dict()
    batch = draw(st.sampled_from((0, -1, 2**31, 2**63)) | st.integers(1, 20_000))
    counts = {name: batch * draw(st.integers(1, 10**6)) for name in ("images", "report_every", "checkpoint_every")}
    values |= {"start": "random", "warm_up": 0, "gradient_diagnostics_every": 0, "seed": draw(st.integers(-1, 2**63)), **counts}
    values["optim"]["batch"] = batch
    values["model"] |= {f"{network}_width": draw(st.integers(0, 300)) for network in ("generator", "discriminator")}
    values["data"]["size"] = 16 * draw(st.integers(1, 66))
    values["vgg"]["width"] = draw(st.integers(0, 70))
    return json.dumps(values).encode()


texts = (damaged(DEMO) | damaged(POSTER)).map(lambda values: json.dumps(values).encode()) | of_another_size()


@inputs(15, 120)
@given(texts)
def test_a_damaged_configuration_is_used_or_refused_in_one_line(content: bytes) -> None:
    value_or_one_line("config", lambda: use(parse_record(Config, content, "config.json", "remove it")))
