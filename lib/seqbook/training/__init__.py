"""The training loop of the course, its optimiser, and its checkpoints."""

from seqbook.training.loop import fit, training_step
from seqbook.training.optimizer import TrainingConfig, adamw, learning_rate

__all__ = ["TrainingConfig", "adamw", "fit", "learning_rate", "training_step"]
