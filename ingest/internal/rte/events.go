package rte

import (
	"slices"
	"strings"
)

// EntityType is the kind of thing an event is about, and so what the EntityId
// of a subscription names.
type EntityType string

// The entity types of RTE.
const (
	User     EntityType = "User"
	Queue    EntityType = "Queue"
	CallList EntityType = "CallList"
)

// EntityTypes lists every entity type.
func EntityTypes() []EntityType { return []EntityType{User, Queue, CallList} }

// The catalogue of event names. The hub's own answer to AvailableSubscriptions
// counts; this one tells which of them belong to which entity type. The names
// of queue calls and of single callback steps have been seen with clients only.
var catalogue = map[EntityType][]string{
	User: {
		"UserAlert",
		"UserAvailability",
		"UserCallAvailableForMonitoring",
		"UserCallInArrived",
		"UserCallInCallbackCreated",
		"UserCallInComing",
		"UserCallInDisconnected",
		"UserCallInHoldEnd",
		"UserCallInHoldStart",
		"UserCallInOverflow",
		"UserCallInRecordingConverted",
		"UserCallInTransferCancelled",
		"UserCallInTransferConnected",
		"UserCallInTransferStarted",
		"UserCallInUserAllocated",
		"UserCallInUserCancelled",
		"UserCallInUserConnected",
		"UserCallInUserOverflow",
		"UserCallOutConnected",
		"UserCallOutDisconnected",
		"UserCallOutGoing",
		"UserCallOutHoldEnd",
		"UserCallOutHoldStart",
		"UserCallOutRecordingConverted",
		"UserRealTimeTranscriptPhrase",
		"UserSetting",
		"UserStatus",
		"UserSupervisionStatus",
		"UserTerminalStatus",
		"UserWrapUpEnabled",
		"UserWrapUpRequestInitiate",
		"UserWrapUpRequestTerminate",
		"UserWrapUpStarted",
		"UserWrapUpTerminated",
	},
	Queue: {
		"QueueCallInArrived",
		"QueueCallInComing",
		"QueueCallInDisconnected",
		"QueueCallInOverflow",
		"QueueCallInTransferCancelled",
		"QueueCallInTransferConnected",
		"QueueCallInTransferStarted",
		"QueueCallInUserAllocated",
		"QueueCallInUserCancelled",
		"QueueCallInUserConnected",
		"QueueStatus",
	},
	CallList: {
		"CallbackChanged",
		"CallbackClosed",
		"CallbackCreated",
		"CallbackUpdated",
	},
}

// EventNames lists the known events of an entity type, sorted.
func EventNames(t EntityType) []string { return slices.Clone(catalogue[t]) }

var byName = func() map[string]EntityType {
	m := make(map[string]EntityType)
	for t, names := range catalogue {
		for _, n := range names {
			m[strings.ToLower(n)] = t
		}
	}
	return m
}()

// EntityTypeOf tells which entity type an event belongs to, in any casing. Of a
// name that the catalogue lacks it goes by the beginning, and reports false
// when that tells nothing either.
func EntityTypeOf(eventName string) (EntityType, bool) {
	name := strings.ToLower(eventName)
	if t, ok := byName[name]; ok {
		return t, true
	}
	for prefix, t := range map[string]EntityType{"user": User, "queue": Queue, "callback": CallList, "calllist": CallList} {
		if strings.HasPrefix(name, prefix) {
			return t, true
		}
	}
	return "", false
}
