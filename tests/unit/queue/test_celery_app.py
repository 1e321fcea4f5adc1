import subprocess
import sys

import pytest
from pydantic import SecretStr

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings
from worker.queue.configuration import celery_configuration


def test_importing_the_app_reads_nothing_and_loads_no_model() -> None:
    program = (
        "import os, sys\n"
        "os.environ['ZOOMIN_NONSENSE'] = 'would be refused'\n"
        "import worker.celery, worker.queue.tasks\n"
        "print([name for name in ('vllm', 'torch', 'boto3', 'transformers') if name in sys.modules])\n"
        "import worker.queue.dispatcher\n"  # seals go to S3
        "print([name for name in ('vllm', 'torch', 'transformers') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_configuration_carries_json_only_and_no_wait_without_end() -> None:
    configuration = celery_configuration(Settings(broker_url=SecretStr("redis://host/0")))
    assert configuration["accept_content"] == ["json"]
    assert configuration["task_acks_late"]
    assert not configuration["task_reject_on_worker_lost"]
    transport = configuration["broker_transport_options"]
    assert transport["socket_timeout"] > 1  # BRPOP waits 1 s
    assert transport["socket_connect_timeout"] > 0
    assert transport["global_keyprefix"] == "zoomin:"


def test_worker_without_broker_is_refused() -> None:
    with pytest.raises(MisconfiguredError, match="ZOOMIN_BROKER_URL"):
        celery_configuration(Settings(broker_url=None))
