-- Ten questions that a trust-and-safety analyst asks, on the views of schema moderation_v1. Each is run in the tests, as zoomin_analyst.
-- Give yourself the role: GRANT zoomin_analyst TO me;

-- 1. What was flagged last week, by where it came from and which release judged it?
SELECT regexp_replace(source_ref, '[^/]*$', '') AS folder, release_id, count(*) AS flagged, round(avg(p_generated)::numeric, 3) AS mean_p
  FROM moderation_v1.flagged_images
 WHERE judged_at > now() - interval '7 days'
 GROUP BY 1, 2 ORDER BY flagged DESC LIMIT 50;

-- 2. How often do people decide against the model, week by week?
SELECT date_trunc('week', decided_at) AS week, count(*) AS decided, count(*) FILTER (WHERE overrides_model) AS overridden,
       round(100.0 * count(*) FILTER (WHERE overrides_model) / count(*), 1) AS override_percent
  FROM moderation_v1.decisions
 WHERE basis <> 'automatic' AND model_verdict IS NOT NULL
 GROUP BY 1 ORDER BY 1;

-- 3. How precise are flags, by policy version? (of flagged images that people decided on: how many are generated)
SELECT policy_version, count(*) AS decided, round(avg((decided_verdict = 'generated')::integer)::numeric, 3) AS precision
  FROM moderation_v1.flagged_images
 WHERE decision_id IS NOT NULL
 GROUP BY 1 ORDER BY 1;

-- 4. Which images wait longest for a person?
SELECT queue, item_id, kind, state, reason, now() - created_at AS waiting, overdue
  FROM moderation_v1.review_live
 ORDER BY created_at LIMIT 20;

-- 5. How long are the queues, and how much of them is late?
SELECT queue, kind, count(*) AS waiting, count(*) FILTER (WHERE overdue) AS overdue, max(now() - created_at) AS oldest
  FROM moderation_v1.review_live
 GROUP BY 1, 2 ORDER BY waiting DESC;

-- 6. Do reviewers and the model agree on where to look? (boxes accepted, rejected, moved, by release)
SELECT i.release_id, sum(r.accepted) AS accepted, sum(r.rejected) AS rejected, sum(r.moved) AS moved
  FROM moderation_v1.region_current AS r JOIN moderation_v1.item_current AS i USING (batch_id, ordinal)
 GROUP BY 1 ORDER BY 1;

-- 7. Does the model drift? (scan and zoom at odds, and unreadable replies, day by day)
SELECT day, release_id, sum(verdicts) AS verdicts, round(100.0 * sum(stages_disagree) / nullif(sum(verdicts), 0), 1) AS disagree_percent,
       sum(unreadable) AS unreadable, sum(failed) AS failed
  FROM moderation_v1.model_quality_daily
 GROUP BY 1, 2 ORDER BY 1, 2;

-- 8. What did each batch come to, and how fast?
SELECT batch_id, source, state, accepted, rejected, verdicts, flagged, unreadable, failed, cancelled, pending,
       round((accepted / nullif(extract(epoch FROM coalesce(finished_at, now()) - created_at), 0))::numeric, 2) AS images_per_second
  FROM moderation_v1.batch_progress
 ORDER BY created_at DESC LIMIT 50;

-- 9. Which decisions were overturned on appeal, and whose were they?
SELECT earlier.decided_by, count(*) AS overturned
  FROM moderation_v1.decisions AS later JOIN moderation_v1.decisions AS earlier ON earlier.decision_id = later.supersedes
 WHERE later.basis = 'appeal' AND later.verdict <> earlier.verdict
 GROUP BY 1 ORDER BY overturned DESC;

-- 10. The same picture, submitted more than once, with different ends?
SELECT image_sha256, count(*) AS times, array_agg(DISTINCT route) AS routes, min(p_generated) AS lowest, max(p_generated) AS highest
  FROM moderation_v1.item_current
 WHERE image_sha256 IS NOT NULL
 GROUP BY 1 HAVING count(DISTINCT route) > 1 ORDER BY times DESC LIMIT 50;

-- Following live. Three channels; anybody who may connect may LISTEN, so payloads name no tenant. A notification says that there is
-- something to look at; what it is, a query says, so that one that was missed costs nothing.
--   LISTEN zoomin_events;   {"type": "batch.completed", "id": "evt_…"}: the newest event of that type in a commit
--   LISTEN zoomin_batches;  no payload: a batch has ended
--   LISTEN zoomin_chunks;   no payload: there are new chunks, or some 256 images were judged (look at batch_progress)

-- 11. What happened since the last event that I saw? (positions are in the order of commits)
SELECT position, event_id, type, data, occurred_at
  FROM moderation_v1.events
 WHERE position > 0
 ORDER BY position LIMIT 100;

-- 12. How often are reviewers right about images whose answer is known, week by week, and how well do they find the boxes?
SELECT date_trunc('week', answered_at) AS week, reviewer, count(*) AS answers, round(avg(correct::integer)::numeric, 3) AS accuracy,
       round(avg(box_iou)::numeric, 3) AS mean_iou
  FROM moderation_v1.golden_answers
 GROUP BY 1, 2 ORDER BY 1, 2;

-- 13. Of which images were there parts that the model never looked at above half resolution? (share_half = 0: nothing was)
SELECT item_id, width, height, round(resolution_least::numeric, 2) AS least, round(resolution_mean::numeric, 2) AS mean,
       round(100 * (1 - share_half)::numeric, 1) AS percent_below_half
  FROM moderation_v1.coverage_current
 WHERE share_half < 1
 ORDER BY share_half, resolution_least LIMIT 50;
