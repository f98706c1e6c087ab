"""The outputs of a study: summary, figures and report, made from its folder at any time, also from an unfinished study."""

from pathlib import Path

import cv2

from facegan.data.reading.face_data import FaceData
from facegan.data.versions.manifest import to_bytes
from facegan.files import write_bytes, write_json
from facegan.metrics.card import Card
from facegan.metrics.discrimination import Discrimination
from facegan.metrics.evaluation import study_references
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import REFERENCE_FRAMES, prepare_evaluation_set
from facegan.metrics.evaluators import build_evaluators
from facegan.records import read_record
from facegan.report.effect_figure import write_effect_figure
from facegan.report.figure2 import write_figure2
from facegan.report.gradient_figure import write_gradient_figure
from facegan.report.loss_curves import write_losses_figure
from facegan.report.page import write_report
from facegan.report.plane_figure import write_plane_figure
from facegan.report.search_figure import write_search_figure
from facegan.report.sheets import contact_sheet
from facegan.study.conclusions.run_table import write_run_table
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.plan import Plan
from facegan.study.folder.study_folder import MANIFEST

REFERENCES = "references.json"
"""Metric cards of the reference rows."""
DISCRIMINATION = "discrimination.json"
"""How well the identity evaluator distinguishes the test people."""


def write_outputs(plan: Plan, study: Path, data: FaceData, *, include_faces: bool) -> Summary:
    """Write summary.json, the figures and report.html into a study folder; returns the summary.

    The reference rows are computed once and kept. `include_faces` embeds frames of real people in the report.
    """
    cure = "remove it, and the same command makes it again"
    references = read_record(dict[str, Card], study / REFERENCES, cure)
    discrimination = read_record(Discrimination, study / DISCRIMINATION, cure)
    if references is None or discrimination is None:
        evaluators = build_evaluators(EvaluatorsConfig())
        evaluation_set = prepare_evaluation_set(data, evaluators, study / REFERENCE_FRAMES, Sampling())
        references, discrimination = study_references(data, evaluators, evaluation_set)
        write_json(study / REFERENCES, references)
        write_json(study / DISCRIMINATION, discrimination)
    people = {clip.clip: data.person_of(clip.clip) for clip in data.manifest.clips}
    summary = summarise_study(study, plan, references, discrimination, people)
    write_json(study / "summary.json", summary)
    write_run_table(study, plan, people)
    write_bytes(study / MANIFEST, to_bytes(data.manifest))
    cv2.imwrite(str(study / "contact_sheet.png"), contact_sheet(data)[:, :, ::-1])
    if summary.plane is not None:
        write_plane_figure(study, plan, summary.plane)
    write_effect_figure(study, plan, summary.effects, summary.arms)
    write_figure2(study, plan, data)
    write_losses_figure(study, plan)
    if summary.search is not None:
        write_search_figure(study, summary.search)
    write_gradient_figure(study, plan)
    write_report(study, summary, plan.base, include_faces=include_faces)
    return summary
