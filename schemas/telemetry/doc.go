// Package telemetry sets up logs, metrics and traces, and names what is in them.
//
// It owns the names that dashboards, alerts and log searches rely on, the
// masking of numbers and the derivation of trace ids. It refuses levels,
// formats and protocols it does not know. It measures nothing: each service
// builds its own collectors with the names given here.
//
// The caller owes numbers masked by [Mask] wherever they leave the payload,
// and a shutdown of tracing before the process ends.
package telemetry
