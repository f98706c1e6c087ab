"""Face embeddings of the real evaluation frames, computed once per study."""

from cluster.datasets.dataset import DataSet
from cluster.studies.study_store import StudyStore
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluators import build_evaluators
from facegan.metrics.measure import prepare_evaluation_set
from facegan.trial import REFERENCE_EMBEDDINGS


def precompute_reference_embeddings(store: StudyStore, data: DataSet) -> None:
    """Write the study's reference_embeddings.npy, which its trials read. A Ray task calls it while the trials start."""
    with store.making(REFERENCE_EMBEDDINGS) as path:
        prepare_evaluation_set(data.open(), build_evaluators(EvaluatorsConfig()), path, Sampling())
