"""StarGAN v2 and a GANimation-style model, written anew from their descriptions, to compare 2CET with.

Both go through the same data loading, trainer, checkpoints, transfer interface and evaluation as 2CET, see
``twocet.compare.methods``.
"""
