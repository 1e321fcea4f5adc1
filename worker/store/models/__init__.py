"""The tables. Insert-only at the grain of images, mutable only at the grain of chunks and batches."""

from worker.store.models.attention import AttentionMapRow, AttentionTargetRow
from worker.store.models.audit import AuditEventRow, AuditLinkRow, AuditSealRow
from worker.store.models.base import Base
from worker.store.models.coverage import CoverageRow
from worker.store.models.decisions import AppealRow, DecisionRow, StatementRow
from worker.store.models.events import OutboxRow
from worker.store.models.explanations import ExplanationJobRow
from worker.store.models.faithfulness import FaithfulnessCheckRow, FaithfulnessMaskingRow
from worker.store.models.golden import GoldenItemRow, GoldenTaskRow
from worker.store.models.intake import BatchRow, IntakeRow, ItemRow, RowErrorRow, TenantRow
from worker.store.models.keys import ApiKeyRow
from worker.store.models.looks import LookAnswerRow, LookRow
from worker.store.models.people import PersonRow, PersonSessionRow
from worker.store.models.policies import PolicyBandRow, PolicyClauseRow, PolicyRow, PolicyVersionRow
from worker.store.models.queue import ChunkRow
from worker.store.models.results import EvidenceRow, OutcomeRow, RegionRow, ReleaseRow, RoutingRow, StageTallyRow, TraceRow
from worker.store.models.retention import DetailsSweepRow, ErasureRow, LegalHoldRow, RetentionTermRow
from worker.store.models.review import RegionJudgementRow, ReviewClaimRow, ReviewQueueRow, ReviewRow, ReviewTaskRow
from worker.store.models.search import OutcomeWordsRow, SavedFilterRow
from worker.store.models.translations import TranslationCallRow, TranslationRow
from worker.store.models.webhooks import WebhookAttemptRow, WebhookDeliveryRow, WebhookEndpointRow, WebhookSecretRow

__all__ = [
    "ApiKeyRow",
    "AppealRow",
    "AttentionMapRow",
    "AttentionTargetRow",
    "AuditEventRow",
    "AuditLinkRow",
    "AuditSealRow",
    "Base",
    "BatchRow",
    "ChunkRow",
    "CoverageRow",
    "DecisionRow",
    "DetailsSweepRow",
    "ErasureRow",
    "EvidenceRow",
    "ExplanationJobRow",
    "FaithfulnessCheckRow",
    "FaithfulnessMaskingRow",
    "GoldenItemRow",
    "GoldenTaskRow",
    "IntakeRow",
    "ItemRow",
    "LegalHoldRow",
    "LookAnswerRow",
    "LookRow",
    "OutboxRow",
    "OutcomeRow",
    "OutcomeWordsRow",
    "PersonRow",
    "PersonSessionRow",
    "PolicyBandRow",
    "PolicyClauseRow",
    "PolicyRow",
    "PolicyVersionRow",
    "RegionJudgementRow",
    "RegionRow",
    "ReleaseRow",
    "RetentionTermRow",
    "ReviewClaimRow",
    "ReviewQueueRow",
    "ReviewRow",
    "ReviewTaskRow",
    "RoutingRow",
    "RowErrorRow",
    "SavedFilterRow",
    "StageTallyRow",
    "StatementRow",
    "TenantRow",
    "TraceRow",
    "TranslationCallRow",
    "TranslationRow",
    "WebhookAttemptRow",
    "WebhookDeliveryRow",
    "WebhookEndpointRow",
    "WebhookSecretRow",
]
