"""The networks of the study: generator, discriminator and the frozen VGG-19 of the losses.

`generator` is a U-Net and `discriminator` a PatchGAN, both built from a `ModelConfig`. They share `norm` (instance norm with
LeakyReLU in one operation) and `first_layer` (a convolution that takes landmarks as maps or as bare points). `vgg` is the
feature extractor of the perceptual losses, and `vgg_weights` finds its file. Networks of the evaluators are in
`facegan.metrics.backbones`.
"""
