"""What the library's own functions do, made visible: the numbers behind ``pufferbench.widgets.explain_*``.

=================== ====================================================================
``explain.ppo``     the clipped objective and its gradient, from ``kernels.ppo_loss``
``explain.gae``     what counts how much in an advantage, from ``kernels.advantages``
``explain.memory``  a recurrent policy's state over time, from ``pufferbench.recurrent``
``explain.workers`` who steps and who waits, measured with ``vector.Multiprocessing``
``explain.network`` a network's layers, shapes and activations, of any module
=================== ====================================================================

Nothing is computed here that the library computes: where it changes, so do these numbers.
"""
