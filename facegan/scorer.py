"""The scores of the trials of a study: evaluators are loaded, and real frames looked at, once in a process."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.inference import image_generator
from facegan.metrics.card import Card
from facegan.metrics.evaluation import make_card
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import REFERENCE_FRAMES, EvaluationSet, generate_all, prepare_evaluation_set
from facegan.metrics.evaluators import Evaluators, build_evaluators
from facegan.metrics.measure import measure
from facegan.metrics.probes import probe_generator
from facegan.metrics.validation import VALIDATION_FRAMES, Validation
from facegan.training.state import TrainState

StudyFile = Callable[[str], Path]
"""The path of a file of the whole study, fetched if it exists."""


class Scorer:
    """Scores generators on the held-out people of a data set. It belongs to one study."""

    def __init__(self, data: FaceData) -> None:
        self.data = data
        self._validations: dict[float, Validation] = {}
        self._evaluation_set: EvaluationSet | None = None

    @cached_property
    def _evaluators(self) -> Evaluators:
        return build_evaluators(EvaluatorsConfig())

    def validation(self, config: Config, study_file: StudyFile) -> Validation:
        """What scores a generator at each checkpoint."""
        fraction = config.data.validation_fraction
        if fraction not in self._validations:
            cache = study_file(VALIDATION_FRAMES)
            self._validations[fraction] = Validation(self.data, config, self._evaluators, cache)
        return self._validations[fraction]

    def card(self, state: TrainState, study_file: StudyFile) -> Card:
        """The metric card of a run's generator on the test people."""
        if self._evaluation_set is None:
            real_frames = study_file(REFERENCE_FRAMES)
            self._evaluation_set = prepare_evaluation_set(self.data, self._evaluators, real_frames, Sampling())
        evaluation_set = self._evaluation_set
        generate = image_generator(state.result, state.config, state.device)
        measured = measure(generate_all(generate, self.data, evaluation_set), evaluation_set, self._evaluators)
        measured |= probe_generator(state.result, state.config, state.device, evaluation_set)
        return make_card(measured, evaluation_set.pairs.clip, self.data, self._evaluators)
