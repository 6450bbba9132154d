package telemetry

// Names of metrics, for collectors, dashboards and alerts. Labels stand behind.
const (
	BuildInfo = "ringstream_build_info" // program, version, revision, goversion

	// The bus, as any service sees it.
	NATSConnected       = "ringstream_nats_connected"
	NATSReconnects      = "ringstream_nats_reconnects_total"
	StreamsDiffer       = "ringstream_streams_differ"             // 1: a stream or bucket is missing or not as the contract says
	StreamsUnanswered   = "ringstream_streams_unanswered_seconds" // since NATS last told anything of the streams; 0 while it does
	LogAppendSeconds    = "ringstream_log_append_seconds"         // stream
	LogFenceConflicts   = "ringstream_log_fence_conflicts_total"  // stream
	LogSnapshotSeconds  = "ringstream_log_snapshot_seconds"       // stream
	LeaseHeld           = "ringstream_lease_held"                 // lease
	LeaseChanges        = "ringstream_lease_changes_total"        // lease
	LastProgressSeconds = "ringstream_last_progress_timestamp_seconds"

	// Ingest.
	IngestMessages      = "ringstream_ingest_messages_total"  // event_type
	IngestPublished     = "ringstream_ingest_published_total" // result: stored, duplicate
	IngestPublishDelay  = "ringstream_ingest_publish_delay_seconds"
	IngestQueued        = "ringstream_ingest_queue_messages"  // received and not stored yet
	IngestUnsafe        = "ringstream_ingest_unsafe_messages" // of them not on disk
	IngestSpoolBytes    = "ringstream_ingest_spool_bytes"
	IngestConnected     = "ringstream_ingest_hub_connected"
	IngestConnections   = "ringstream_ingest_hub_connections_total"  // reason
	IngestSubscriptions = "ringstream_ingest_subscriptions"          // state: wanted, held, refused
	IngestSwallowed     = "ringstream_ingest_swallowed_frames_total" // what the hub sent that is no message
	IngestDeadLetters   = "ringstream_ingest_deadletters_total"      // reason
	IngestRefused       = "ringstream_ingest_subscription_refused"   // entity, event_type, reason
	IngestRenewals      = "ringstream_ingest_token_renewals_total"   // result: renewed, failed
	IngestLost          = "ringstream_ingest_lost_messages_total"
	IngestUnheard       = "ringstream_ingest_unheard_total"          // heard by another replica only
	IngestHubSkew       = "ringstream_ingest_hub_clock_skew_seconds" // above 0: the hub's clock is behind

	// Transform.
	TransformRaw        = "ringstream_transform_raw_events_total" // verdict: changed is a transition, the others say why an event was ignored
	TransformSkipped    = "ringstream_transform_skipped_total"    // reason: coverage, no-call
	TransformUnreadable = "ringstream_transform_unreadable_total"
	TransformCallEvents = "ringstream_transform_call_events_total" // type, inferred
	TransformOpenCalls  = "ringstream_transform_open_calls"        // partition
	TransformLag        = "ringstream_transform_lag_messages"      // partition
	TransformLagSeconds = "ringstream_transform_lag_seconds"       // partition; by the stream's own times
	TransformDelay      = "ringstream_transform_delay_seconds"
	TransformMergeLag   = "ringstream_transform_merge_lag_seconds"    // partition; from its log to CALLS
	TransformRestarts   = "ringstream_transform_merge_restarts_total" // how often the leader of CALLS was asked to step down

	// Deliver.
	DeliverOutcomes         = "ringstream_deliver_outcomes_total" // outcome, type, cause: event.Causes, empty when delivered
	DeliverAttempts         = "ringstream_deliver_attempts_total" // class, action
	DeliverRequests         = "ringstream_deliver_requests_total" // code
	DeliverRequestTime      = "ringstream_deliver_request_seconds"
	DeliverDelay            = "ringstream_deliver_delay_seconds"      // type; from ingest hearing of it to Reapit's answer. With exemplars: trace_id
	DeliverPostDelay        = "ringstream_deliver_post_delay_seconds" // type; from ingest hearing of it to the first POST, answered or not. With exemplars
	DeliverRetries          = "ringstream_deliver_retries_total"      // type; POSTs that repeat an earlier one of their delivery
	DeliverQueued           = "ringstream_deliver_queued"             // type
	DeliverOldest           = "ringstream_deliver_oldest_seconds"     // type; since ingest heard of the oldest that waits or is under way, 0 when none does
	DeliverInFlight         = "ringstream_deliver_in_flight"
	DeliverUnread           = "ringstream_deliver_unread_messages"
	DeliverParked           = "ringstream_deliver_parked"                    // customer, cause
	DeliverPaused           = "ringstream_deliver_paused_seconds"            // until Reapit's limits let anything out again
	DeliverFailing          = "ringstream_deliver_failing_seconds"           // since an attempt, or the first reading of the negotiators, failed first
	DeliverDeadLetters      = "ringstream_deliver_deadletters_total"         // reason
	DeliverBudgetLeft       = "ringstream_deliver_budget_left"               // requests of the day
	DeliverUsed             = "ringstream_deliver_budget_used"               // limit: day, second (within the last one), slots
	DeliverAllowed          = "ringstream_deliver_budget_allowed"            // limit
	DeliverTokens           = "ringstream_deliver_token_requests_total"      // result: given, or why not
	DeliverUnresolved       = "ringstream_deliver_unresolved_events"         // that wait for the negotiators of their customer
	DeliverNegotiators      = "ringstream_deliver_negotiators"               // customer
	DeliverDirectoryFailing = "ringstream_deliver_directory_failing_seconds" // customer
	DeliverTenantsBroken    = "ringstream_deliver_tenants_broken"            // 1: TENANTS_FILE cannot be used as it is
	DeliverDirectoryAge     = "ringstream_deliver_directory_age_seconds"     // customer; since Reapit was read, by an earlier start too
	DeliverUnmapped         = "ringstream_deliver_unmapped_users"            // reason; users who rang and were no negotiator

	// Replay's watch.
	WatchViolations = "ringstream_watch_violations_total" // kind
	WatchMessages   = "ringstream_watch_messages_total"   // stream
	WatchLag        = "ringstream_watch_lag_seconds"      // stream; what it knows of the stream is so old
	WatchUntold     = "ringstream_watch_untold_seconds"   // since RTE stored the oldest of which CALLS lacks an event
	WatchAwaited    = "ringstream_watch_awaited_outcomes"
	WatchCalls      = "ringstream_watch_calls"
	WatchForgotten  = "ringstream_watch_forgotten_total" // not judged, for want of memory
	WatchGaps       = "ringstream_watch_gaps_total"
)
