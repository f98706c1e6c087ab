"""What a study will be able to find, printed before it is run."""

from cluster.datasets.dataset import existing
from cluster.storage.uri import storage_uri
from cluster.studies.arguments import StudyArguments
from cluster.studies.run_study import StudyRequest
from cluster.studies.study_store import StudyStore
from facegan.report.power_text import power_table
from facegan.study.conclusions.planned_power import SEEDS, DesignPower, power_of_design
from facegan.study.design.arms import Design


def power_of_request(request: StudyRequest, noise_from: str) -> DesignPower:
    """The power of a study by number of seeds; `noise_from` names a study whose noise is taken, empty: it is assumed."""
    folder = None
    if noise_from:
        store = StudyStore(storage_uri("--noise_from", noise_from))
        store.location.check()
        store.pull()
        folder = store.folder
    analysis = request.analysis
    counts = sorted({*SEEDS, len(request.seeds), *analysis.looks[-1:]} - {1})
    design = Design(request.design, request.factors, tuple(arm for arm in request.arms if arm.levels))
    return power_of_design(design, analysis, counts, _test_people(request.shared), folder)


def power_lines(request: StudyRequest, found: DesignPower) -> list[str]:
    """The analysis in words and the table of power."""
    analysis = request.analysis
    return [
        f"analysis {analysis.digest()}: {', '.join(analysis.metrics)}; claims {', '.join(c.name for c in analysis.claims)}",
        *power_table(found),
    ]


def _test_people(shared: StudyArguments) -> int | None:
    """Number of test people of the data set; None where only clips are named that are not ingested yet."""
    if shared.data and not shared.source:
        clips = existing(storage_uri("--data", shared.data)).manifest().clips
        return len({clip.person for clip in clips if clip.split == "test" and clip.rows})
    return None if shared.source else shared.synthetic.test_people
