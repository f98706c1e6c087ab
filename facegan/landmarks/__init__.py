"""Facial landmarks in the 68-point convention of iBUG: files, drawn maps, and detectors.

`points` holds the convention, the mirror permutation and .pts files; `plausible` says whether points can be a face; `maps`
draws the landmark maps that the networks take. `finder` names the detectors, `tracker` is the face tracker, which follows a
face through a clip with any of them, and `boxes` converts their face boxes.

To add a detector, change two files: write a module beside `dlib_finder` whose function returns a `LandmarkFinder` (usually a
`FaceTracker` of a function that detects faces and one that aligns landmarks), and add its name and builder to `FinderName` and
`FINDERS` in `finder`. Ingest, evaluation and their flags then offer it.
"""
