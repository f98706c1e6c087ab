"""The live page of a study: a folder in which a browser draws a face with the generator of every arm at once.

checks    what is refused before anything is written
graph     builds ONNX graphs node by node
generator_graph  a generator as a graph that takes an image and landmarks
export    ONNX files, and how far their drawings are from PyTorch's
people    the test people that the page can start from
tflite    reads a network from a TensorFlow Lite file
convert   such a network as a graph
face_networks  the networks that find a face's landmarks
folder    writes the folder: the page, its networks, its people and live.json
server    serves a folder on this machine's loopback interface
page/     the page: HTML, CSS and JavaScript modules, without a build step
vendor/   ONNX Runtime for the browser and MediaPipe's face networks, with their licences, versions and hashes

The folder is self-contained. The page asks no other server for anything.
"""
