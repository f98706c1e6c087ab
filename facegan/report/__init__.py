"""Figures and the report, made from a study folder.

page            report.html, from summary.json's record and the templates
score_table     scores as text for the console
study_text      a plan and the results of a study, for the console and in Markdown
progress_line   the progress of a running study in one line
formatting      durations as text
forest_plot     positions of effects and intervals on the report's plots
figure2         the poster's Figure 2: images and errors of each arm
loss_curves     loss terms at the end of training and over time
gradient_figure heat maps of the gradient diagnostics
sheets          sample grids and contact sheets
generator_card  the card of a registered generator: scores, terms of the data, uses

To add a section to the report, add a template, include it in report.html, and pass what it needs in `page.write_report`. The
templates only format: every result on the page is in summary.json, which a test checks.
"""
