"""Loading a checkpoint's weights to train on."""

from typing import Any

from transformers import Qwen2_5_VLForConditionalGeneration

from worker.moderation.errors import MisconfiguredError
from worker.vision.checkpoint import CONVENTIONS, Checkpoint
from worker.vision.conversation import first_line

ARCHITECTURE = "Qwen2_5_VLForConditionalGeneration"


def require_architecture(checkpoint: Checkpoint) -> None:
    """Returns for the one architecture that is trained here. Raises MisconfiguredError."""
    if checkpoint.convention != CONVENTIONS[ARCHITECTURE]:
        raise MisconfiguredError(
            "training_architecture", f"{checkpoint.path} is of another architecture than {ARCHITECTURE}, the one that is trained here."
        )


def load_weights(checkpoint: Checkpoint) -> Any:
    """The model with the checkpoint's weights, of the type that its config names. Raises MisconfiguredError when any are missing."""
    require_architecture(checkpoint)
    load: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained
    try:
        model, found = load(checkpoint.path, dtype="auto", local_files_only=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise MisconfiguredError("model_weights", f"{checkpoint.path}: the weights do not load: {first_line(error)}") from error
    absent = [*found["missing_keys"], *found["mismatched_keys"]]
    if absent:
        what = f"{len(absent)} of the model's tensors, say {absent[0]}"
        raise MisconfiguredError("model_weights", f"{checkpoint.path}: the weights lack {what}.")
    return model
