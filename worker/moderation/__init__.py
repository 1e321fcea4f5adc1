"""What worker and api both mean: verdicts, boxes, outcomes, policy, errors, settings. Pure and frozen."""
