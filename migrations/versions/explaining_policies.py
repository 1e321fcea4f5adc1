"""Policies say how much is done to explain outcomes, and below which accuracy a person decides."""

import sqlalchemy as sa
from alembic import op

revision = "explaining_policies"
down_revision = "task_opening"
branch_labels = None
depends_on = None

SHARES = "faithfulness_share BETWEEN 0 AND 1 AND least_drop BETWEEN 0 AND 1 AND attention_share BETWEEN 0 AND 1"
NUMBERS = (
    ("faithfulness_share", "0", "Of what is called generated, this share is tested: the cited regions masked, the score read again"),
    ("least_drop", "0.05", "Of P(generated), beyond the control's: an explanation that moves the score less goes to review"),
    ("attention_share", "0", "Of what has a verdict, a map of the model's attention is drawn for this share"),
)


def upgrade() -> None:
    """Forward."""
    for name, default, comment in NUMBERS:
        op.add_column("policy_versions", sa.Column(name, sa.Double(), server_default=sa.text(default), nullable=False, comment=comment))
    op.add_column(
        "policy_versions",
        sa.Column(
            "languages",
            sa.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="BCP-47 tags that explanations may be asked for in",
        ),
    )
    op.add_column(
        "policy_versions",
        sa.Column(
            "accuracy_floor",
            sa.Double(),
            nullable=True,
            comment="Images as degraded as those that the release was right on less often than this go to a person; null: none do",
        ),
    )
    op.create_check_constraint(op.f("ck_policy_versions_explaining"), "policy_versions", SHARES)
    op.create_check_constraint(op.f("ck_policy_versions_accuracy_floor"), "policy_versions", "accuracy_floor BETWEEN 0 AND 1")


def downgrade() -> None:
    """Back."""
    for name in ("accuracy_floor", "explaining"):
        op.drop_constraint(op.f(f"ck_policy_versions_{name}"), "policy_versions")
    for name in ("accuracy_floor", "languages", "attention_share", "least_drop", "faithfulness_share"):
        op.drop_column("policy_versions", name)
