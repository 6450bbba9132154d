package main

import (
	"fmt"
	"strings"
)

// ns selects the namespace of the dashboard.
const ns = `namespace=~"$namespace"`

// window is Grafana's: long enough for four scrapes at any zoom.
const window = "[$__rate_interval]"

func boards() []board {
	return []board{pipeline(), ingest(), transform(), deliver()}
}

// of is a metric in the namespace; labels narrow it down.
func of(metric string, labels ...string) string {
	return metric + "{" + strings.Join(append([]string{ns}, labels...), ",") + "}"
}

func rate(metric string, labels ...string) string {
	return "rate(" + of(metric, labels...) + window + ")"
}

func sum(by, expr string) string {
	if by == "" {
		return "sum(" + expr + ")"
	}
	return "sum by (" + by + ") (" + expr + ")"
}

func highest(by, expr string) string { return strings.Replace(sum(by, expr), "sum", "max", 1) }

// quantiles are the median and the 99th percentile of a histogram; by is a label
// that tells lines apart, or nothing.
func quantiles(metric, by string, labels ...string) []series {
	group, legend := "le", ""
	if by != "" {
		group, legend = "le, "+by, "{{"+by+"}} "
	}
	var all []series
	for _, q := range []struct{ share, name string }{{"0.5", "half"}, {"0.99", "99 of 100"}} {
		all = append(all, series{fmt.Sprintf("histogram_quantile(%s, %s)", q.share, sum(group, rate(metric+"_bucket", labels...))), legend + q.name})
	}
	return all
}

func one(expr, legend string) []series { return []series{{expr, legend}} }

// late is the share of incoming calls that the objective counts as bad.
func late(window string) string {
	expr := func(metric string, labels ...string) string {
		return "sum(rate(" + of(metric, append(labels, `type="incoming"`)...) + "[" + window + "]))"
	}
	count, expired := expr("ringstream_deliver_post_delay_seconds_count"), expr("ringstream_deliver_outcomes_total", `outcome="expired"`)
	return fmt.Sprintf("1 - %s / (%s + %s)", expr("ringstream_deliver_post_delay_seconds_bucket", `le=~"1|1.0"`), count, expired)
}

func pipeline() board {
	return board{
		name: "ringstream-pipeline", title: "ringstream: pipeline", about: "From the hub to the POST: does it ring in time, and where does the time go?",
		rows: []row{
			{"Does it ring in time?", []panel{
				{title: "Incoming calls later than 1 s, 30 days", about: "1 % is allowed", unit: "percentunit", kind: stat, limit: 0.01, series: one(late("30d"), "late")},
				{title: "Incoming calls later than 1 s, 1 hour", unit: "percentunit", kind: stat, limit: 0.144, series: one(late("1h"), "late")},
				{title: "Ring to POST", about: "From ingest hearing of it to the first POST", unit: "s", limit: 1, series: quantiles("ringstream_deliver_post_delay_seconds", "", `type="incoming"`)},
			}},
			{"Where does the time go?", []panel{
				{title: "Hub to RTE", about: "From arrival to the stream's ack", unit: "s", series: quantiles("ringstream_ingest_publish_delay_seconds", "")},
				{title: "RTE to call log", unit: "s", series: quantiles("ringstream_transform_delay_seconds", "")},
				{title: "Call log to CALLS", unit: "s", limit: 5, series: one(highest("partition", of("ringstream_transform_merge_lag_seconds")), "partition {{partition}}")},
				{title: "Ring to Reapit's answer", unit: "s", series: quantiles("ringstream_deliver_delay_seconds", "type")},
			}},
			{"What waits", []panel{
				{title: "Between hub and NATS", unit: "short", series: one(sum("instance", of("ringstream_ingest_queue_messages")), "{{instance}}")},
				{title: "Transform behind RTE", unit: "s", limit: 5, series: one(highest("partition", of("ringstream_transform_lag_seconds")), "partition {{partition}}")},
				{title: "Call events not taken in", unit: "short", series: one(highest("", of("ringstream_deliver_unread_messages")), "unread")},
				{title: "Oldest that waits for Reapit", unit: "s", series: one(highest("type", of("ringstream_deliver_oldest_seconds")), "{{type}}")},
			}},
			{"Coverage and outcomes", []panel{
				{title: "Replicas that hear the hub", about: "0: nobody does", unit: "short", series: one(sum("", of("ringstream_ingest_hub_connected")), "connected")},
				{title: "Subscriptions", unit: "short", series: one(highest("state", of("ringstream_ingest_subscriptions")), "{{state}}")},
				{title: "Call events a second", unit: "short", series: one(sum("type", rate("ringstream_transform_call_events_total")), "{{type}}")},
				{title: "Outcomes a second", unit: "short", series: one(sum("outcome", rate("ringstream_deliver_outcomes_total")), "{{outcome}}")},
			}},
			{"Is it as promised?", []panel{
				{title: "Violations", about: "As replay watch finds them, an hour; none is right", unit: "short", limit: 1, series: one(sum("kind", "increase("+of("ringstream_watch_violations_total")+"[1h])"), "{{kind}}")},
				{title: "Age of what the watch knows", unit: "s", limit: 30, series: append(one(highest("stream", of("ringstream_watch_lag_seconds")), "{{stream}}"),
					series{highest("", of("ringstream_watch_untold_seconds")), "oldest that CALLS lacks"})},
				{title: "Messages looked at, a second", unit: "short", series: one(sum("stream", rate("ringstream_watch_messages_total")), "{{stream}}")},
				{title: "What the watch remembers", unit: "short", series: []series{
					{highest("", of("ringstream_watch_calls")), "calls"},
					{highest("", of("ringstream_watch_awaited_outcomes")), "without an outcome"},
					{highest("", of("ringstream_watch_forgotten_total")), "forgotten"},
					{highest("", of("ringstream_watch_gaps_total")), "gaps of coverage"},
				}},
			}},
			{"Bus and processes", []panel{
				{title: "Connected to NATS", unit: "short", series: one(of("ringstream_nats_connected"), "{{instance}}")},
				{title: "NATS does not answer for", unit: "s", limit: 20, series: one(of("ringstream_streams_unanswered_seconds"), "{{instance}}")},
				{title: "Streams differ from the contract", unit: "short", series: one(of("ringstream_streams_differ"), "{{instance}}")},
				{title: "Builds", unit: "short", series: one(sum("program, version", of("ringstream_build_info")), "{{program}} {{version}}")},
			}},
		},
	}
}

func ingest() board {
	const running = ` and on (namespace, job, instance) ringstream_build_info{program="ingest"}`
	return board{
		name: "ringstream-ingest", title: "ringstream: ingest", about: "Each replica hears everything; the stream keeps one copy.",
		rows: []row{
			{"Feed", []panel{
				{title: "Connected to the hub", unit: "short", series: one(of("ringstream_ingest_hub_connected"), "{{instance}}")},
				{title: "Connections that ended", about: "An hour, by reason", unit: "short", series: one(sum("reason", "increase("+of("ringstream_ingest_hub_connections_total")+"[1h])"), "{{reason}}")},
				{title: "Subscriptions", unit: "short", series: one(sum("instance, state", of("ringstream_ingest_subscriptions")), "{{instance}} {{state}}")},
				{title: "Refused", unit: "short", empty: "none", series: one(highest("entity, event_type, reason", of("ringstream_ingest_subscription_refused")), "{{event_type}} {{entity}}: {{reason}}")},
			}},
			{"Messages", []panel{
				{title: "Heard a second", unit: "short", series: one(sum("instance", rate("ringstream_ingest_messages_total")), "{{instance}}")},
				{title: "Heard a second, by type", unit: "short", series: one(sum("event_type", rate("ringstream_ingest_messages_total"))+" > 0", "{{event_type}}")},
				{title: "Stored a second", about: "Duplicates: another replica was first", unit: "short", series: one(sum("instance, result", rate("ringstream_ingest_published_total")), "{{instance}} {{result}}")},
				{title: "From arrival to ack", unit: "s", series: quantiles("ringstream_ingest_publish_delay_seconds", "instance")},
			}},
			{"Queue and spool", []panel{
				{title: "Waiting", unit: "short", series: one(of("ringstream_ingest_queue_messages"), "{{instance}}")},
				{title: "In memory only", unit: "short", limit: 1, series: one(of("ringstream_ingest_unsafe_messages"), "{{instance}}")},
				{title: "On disk", unit: "bytes", series: one(of("ringstream_ingest_spool_bytes"), "{{instance}}")},
				{title: "Since the last message was stored", unit: "s", series: one("time() - "+of("ringstream_last_progress_timestamp_seconds")+running, "{{instance}}")},
			}},
			{"What went wrong", []panel{
				{title: "Lost, passed over, no message", about: "An hour", unit: "short", limit: 1, series: []series{
					{sum("instance", "increase("+of("ringstream_ingest_lost_messages_total")+"[1h])"), "{{instance}} lost"},
					{sum("instance", "increase("+of("ringstream_ingest_unheard_total")+"[1h])"), "{{instance}} passed over"},
					{sum("instance", "increase("+of("ringstream_ingest_swallowed_frames_total")+"[1h])"), "{{instance}} no message"},
				}},
				{title: "Dead letters", about: "An hour", unit: "short", limit: 1, series: one(sum("reason", "increase("+of("ringstream_ingest_deadletters_total")+"[1h])"), "{{reason}}")},
				{title: "Token renewals", about: "An hour", unit: "short", series: one(sum("result", "increase("+of("ringstream_ingest_token_renewals_total")+"[1h])"), "{{result}}")},
				{title: "The hub's clock is behind by", unit: "s", series: one(of("ringstream_ingest_hub_clock_skew_seconds"), "{{instance}}")},
			}},
			process("ingest"),
		},
	}
}

func transform() board {
	return board{
		name: "ringstream-transform", title: "ringstream: transform", about: "One fold for each partition; who holds its lease folds it.",
		rows: []row{
			{"Partitions", []panel{
				{title: "Who folds", unit: "short", series: one(of("ringstream_lease_held", `lease=~"partition[.].+"`)+" == 1", "{{lease}} {{instance}}")},
				{title: "Take-overs", about: "10 minutes", unit: "short", limit: 5, series: one(sum("lease", "increase("+of("ringstream_lease_changes_total", `lease=~"partition[.].+"`)+"[10m])"), "{{lease}}")},
				{title: "Refused appends", about: "10 minutes: somebody else wrote", unit: "short", limit: 5, series: one(sum("stream", "increase("+of("ringstream_log_fence_conflicts_total", `stream=~"CALL_LOG_.+"`)+"[10m])"), "{{stream}}")},
				{title: "Open calls", unit: "short", series: one(sum("partition", of("ringstream_transform_open_calls")), "partition {{partition}}")},
			}},
			{"Lag", []panel{
				{title: "Behind RTE", unit: "s", limit: 5, series: one(highest("partition", of("ringstream_transform_lag_seconds")), "partition {{partition}}")},
				{title: "Messages not read", unit: "short", series: one(highest("partition", of("ringstream_transform_lag_messages")), "partition {{partition}}")},
				{title: "CALLS behind the logs", unit: "s", limit: 5, series: one(highest("partition", of("ringstream_transform_merge_lag_seconds")), "partition {{partition}}")},
				{title: "Leaders of CALLS asked to step down", about: "An hour", unit: "short", series: one(sum("", "increase("+of("ringstream_transform_merge_restarts_total")+"[1h])"), "asked")},
			}},
			{"Work", []panel{
				{title: "Raw events a second", about: "changed: a transition; the others say why it was ignored", unit: "short", series: one(sum("verdict", rate("ringstream_transform_raw_events_total")), "{{verdict}}")},
				{title: "Call events a second", unit: "short", series: one(sum("type, inferred", rate("ringstream_transform_call_events_total")), "{{type}} inferred {{inferred}}")},
				{title: "Passed over a second", unit: "short", series: []series{
					{sum("reason", rate("ringstream_transform_skipped_total")), "{{reason}}"},
					{sum("", rate("ringstream_transform_unreadable_total")), "unreadable"},
				}},
				{title: "From RTE to the log", unit: "s", series: quantiles("ringstream_transform_delay_seconds", "")},
			}},
			{"Log", []panel{
				{title: "Time of an append", unit: "s", series: quantiles("ringstream_log_append_seconds", "stream", `stream=~"CALL_LOG_.+"`)},
			}},
			process("transform"),
		},
	}
}

func deliver() board {
	return board{
		name: "ringstream-deliver", title: "ringstream: deliver", about: "One replica delivers, the others stand by.",
		rows: []row{
			{"Latency", []panel{
				{title: "Ring to first POST", unit: "s", limit: 1, series: quantiles("ringstream_deliver_post_delay_seconds", "type")},
				{title: "Ring to Reapit's answer", unit: "s", series: quantiles("ringstream_deliver_delay_seconds", "type")},
				{title: "Reapit's answer", unit: "s", series: quantiles("ringstream_deliver_request_seconds", "")},
				{title: "Who delivers", unit: "short", series: one(of("ringstream_lease_held", `lease="deliver"`)+" == 1", "{{instance}}")},
			}},
			{"Outcomes", []panel{
				{title: "Outcomes a second", unit: "short", series: one(sum("outcome", rate("ringstream_deliver_outcomes_total")), "{{outcome}}")},
				{title: "Not delivered, and why", about: "An hour", unit: "short", empty: "all delivered", series: one(sum("outcome, cause", "increase("+of("ringstream_deliver_outcomes_total", `outcome!="delivered"`)+"[1h])")+" > 0", "{{outcome}} {{cause}}")},
				{title: "Dead letters", about: "An hour", unit: "short", limit: 1, series: one(sum("reason", "increase("+of("ringstream_deliver_deadletters_total")+"[1h])"), "{{reason}}")},
				{title: "Users who are no negotiator", unit: "short", series: one(highest("reason", of("ringstream_deliver_unmapped_users")), "{{reason}}")},
			}},
			{"Queue", []panel{
				{title: "Waiting or under way", unit: "short", series: one(highest("type", of("ringstream_deliver_queued")), "{{type}}")},
				{title: "Oldest", unit: "s", series: one(highest("type", of("ringstream_deliver_oldest_seconds")), "{{type}}")},
				{title: "Under way", unit: "short", series: one(highest("", of("ringstream_deliver_in_flight")), "in flight")},
				{title: "Not taken in", unit: "short", series: []series{
					{highest("", of("ringstream_deliver_unread_messages")), "unread"},
					{highest("", of("ringstream_deliver_unresolved_events")), "wait for negotiators"},
				}},
			}},
			{"Reapit", []panel{
				{title: "Answers a second", unit: "short", series: one(sum("code", rate("ringstream_deliver_requests_total")), "{{code}}")},
				{title: "Attempts a second", unit: "short", series: []series{
					{sum("class, action", rate("ringstream_deliver_attempts_total")), "{{class}}: {{action}}"},
					{sum("", rate("ringstream_deliver_retries_total")), "repeated"},
				}},
				{title: "Failing for", unit: "s", limit: 60, series: one(highest("", of("ringstream_deliver_failing_seconds")), "failing")},
				{title: "Tokens asked for", about: "An hour", unit: "short", series: one(sum("result", "increase("+of("ringstream_deliver_token_requests_total")+"[1h])"), "{{result}}")},
			}},
			{"Budget", []panel{
				{title: "Used", about: "Of what each limit allows", unit: "percentunit", limit: 0.9, series: one(highest("limit", of("ringstream_deliver_budget_used")+" / "+of("ringstream_deliver_budget_allowed")), "{{limit}}")},
				{title: "Left today", unit: "short", series: one("min("+of("ringstream_deliver_budget_left")+")", "requests")},
				{title: "Paused for", unit: "s", limit: 30, series: one(highest("", of("ringstream_deliver_paused_seconds")), "paused")},
				{title: "Parked customers", unit: "short", empty: "none", limit: 1, series: one(highest("customer, cause", of("ringstream_deliver_parked")), "{{customer}} {{cause}}")},
			}},
			{"Negotiators", []panel{
				{title: "Known", unit: "short", series: one(highest("customer", of("ringstream_deliver_negotiators")), "{{customer}}")},
				{title: "Read ago", unit: "s", limit: 43200, series: one("min by (customer) ("+of("ringstream_deliver_directory_age_seconds")+")", "{{customer}}")},
				{title: "Cannot be read for", unit: "s", limit: 900, series: one("min by (customer) ("+of("ringstream_deliver_directory_failing_seconds")+")", "{{customer}}")},
				{title: "Tenants file is broken", unit: "short", limit: 1, series: one(highest("", of("ringstream_deliver_tenants_broken")), "broken")},
			}},
			{"Log", []panel{
				{title: "Time of an append", unit: "s", series: quantiles("ringstream_log_append_seconds", "", `stream="DELIVERIES"`)},
				{title: "Time of a snapshot", unit: "s", series: quantiles("ringstream_log_snapshot_seconds", "")},
				{title: "Refused appends, take-overs", about: "10 minutes", unit: "short", limit: 5, series: []series{
					{sum("", "increase("+of("ringstream_log_fence_conflicts_total", `stream="DELIVERIES"`)+"[10m])"), "refused"},
					{sum("", "increase("+of("ringstream_lease_changes_total", `lease="deliver"`)+"[10m])"), "take-overs"},
				}},
			}},
			process("deliver"),
		},
	}
}

// process is what every program has.
func process(program string) row {
	mine := func(metric string) string {
		return metric + " and on (namespace, job, instance) ringstream_build_info{" + ns + fmt.Sprintf(",program=%q}", program)
	}
	return row{"Process", []panel{
		{title: "Processors", unit: "short", series: one(mine("rate(process_cpu_seconds_total"+window+")"), "{{instance}}")},
		{title: "Memory", unit: "bytes", series: one(mine("process_resident_memory_bytes"), "{{instance}}")},
		{title: "Connections made to NATS again", about: "An hour", unit: "short", series: one(mine("increase("+of("ringstream_nats_reconnects_total")+"[1h])"), "{{instance}}")},
		{title: "Up for", unit: "s", series: one(mine("(time() - process_start_time_seconds)"), "{{instance}}")},
	}}
}
