"""From ZOOMIN_MODEL to a model that answers."""

import asyncio
import re
from pathlib import Path

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings
from worker.vision.checkpoint import CONTENTS, MODEL_FILES, Checkpoint, read_checkpoint
from worker.vision.endpoint import EndpointAddress, EndpointVision
from worker.vision.model import VisionModel
from worker.vision.nano import CHECKPOINT as NANO_CHECKPOINT
from worker.vision.nano import NAME as NANO
from worker.vision.vllm_engine import VllmEngine

ENDPOINT_PREFIX = "openai:"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


async def load_vision_model(settings: Settings) -> VisionModel:
    """The model that ZOOMIN_MODEL names, started and warmed up; nano when local mode names none. Raises MisconfiguredError."""
    model = settings.require().model or NANO
    if model.startswith(ENDPOINT_PREFIX):
        key = settings.model_api_key
        return EndpointVision(EndpointAddress.parse(model), key.get_secret_value() if key else None)
    return await VllmEngine.start(await asyncio.to_thread(find_checkpoint, model), settings)


def find_checkpoint(model: str) -> Checkpoint:
    """The checkpoint that `model` names: nano, a folder, or a name on the Hugging Face hub. Raises MisconfiguredError."""
    if model == NANO:
        return read_checkpoint(NANO_CHECKPOINT)
    folder = Path(model).expanduser()
    if folder.is_dir() or not HUB_NAME.fullmatch(model):
        return read_checkpoint(folder)
    return read_checkpoint(_download(model), name=model.rpartition("/")[2])


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  only for hub names
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(name, allow_patterns=[f"*{suffix}" for suffix in MODEL_FILES]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise MisconfiguredError(
            "model_missing",
            f"{name} is neither a folder here nor a model that the Hugging Face hub gives us ({type(error).__name__}). "
            f"A checkpoint folder holds {CONTENTS}.",
        ) from error
