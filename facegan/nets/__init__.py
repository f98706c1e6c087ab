"""The networks: generator, discriminator and the frozen VGG-19."""
