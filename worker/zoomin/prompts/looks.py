"""The wording of looks, versioned apart from the verdict's: a new one makes no new release, so each look's trace names its own."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LATEST = "look_v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPrompts:
    """The texts of one version. A person's question is all that is not ours in what is sent."""

    version: str
    sha256: str
    look: str
    question_template: str

    def asked(self, question: str) -> str:
        """What stands behind the crop."""
        return f"{self.look} {self.question_template.format(question=question)}" if question else self.look


@cache
def load_look_prompts(version: str = LATEST) -> LookPrompts:
    """The wording of a version; FileNotFoundError for an unknown one."""
    folder = files("worker.zoomin.prompts") / version
    texts = {name: (folder / f"{name}.txt").read_text("utf-8").strip() for name in ("look", "question")}
    digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()
    return LookPrompts(version=version, sha256=digest, look=texts["look"], question_template=texts["question"])
