"""The live page of a study: a folder in which a browser draws a face with the generator of every arm at once.

checks    what is refused before anything is written
export    a generator as an ONNX file that takes an image and landmarks
people    the test people that the page can start from
tflite    reads a network from a TensorFlow Lite file
convert   such a network as an ONNX graph
face_networks  the networks that find a face's landmarks
folder    writes the folder: the page, its networks, its people and live.json
server    serves a folder on this machine's loopback interface
page/     the page: HTML, CSS and JavaScript modules, without a build step
vendor/   ONNX Runtime for the browser and MediaPipe's face networks, with their licences, versions and hashes

The folder is self-contained. The page asks no other server for anything.
"""
