"""Random networks of every layer that is converted: Keras, Program and hls4ml's C++ must agree in every bit.

`families` says for each layer how to draw one at random and what the documentation states of it; `drawing` makes
instances from a seed, `networks` Keras networks from instances, `batches` compares many of them in one C++ project,
`runs` keeps results on disk, `table` writes docs/layers.md.
"""
