package main

import "slices"

// The members that RTE puts around those of every event.
var (
	header = []field{
		{"RootEntityType", code, "Kind of the entity at the top, Organization."},
		{"RootEntityId", guid, "The entity at the top: the organization."},
		{"EventType", code, "Name of the event; a number on old hubs."},
		{"EntityType", code, "Kind of the entity: User, Queue or CallList."},
		{"EntityId", guid, "The entity that the event is about."},
	}
	trailer = []field{
		{"Id", guid, "Unique id of the event."},
		{"Timestamp", instant, "When it happened."},
		{"MessageTTLSeconds", integer, "Seconds until the event is stale; -1 for never."},
	}
)

// Members that many events have.
var (
	organizationID = field{"OrganizationId", guid, "The organization."}
	userID         = field{"UserId", guid, "The user that the event is about."}
	callID         = field{"CallId", guid, "The call."}
	maybeCallID    = field{"CallId", guidOrNone, "The call, if there is one."}
	legID          = field{"LegId", text, "The leg of the call."}
	userName       = field{"UserName", text, "Name of that user, an e-mail address at most providers."}
	username       = field{"Username", text, userName.doc}
	userNumber     = field{"UserNumber", text, "Number at which the user is rung."}
	callerNumber   = field{"CallerNumber", text, "Who calls, as the call came in."}
	targetNumber   = field{"TargetNumber", text, "The number first dialled."}
	publicity      = field{"Publicity", code, "How public the user's direct calls are."}
	reason         = field{"Reason", text, "Why."}
	hangUp         = field{"Reason", text, "Which side hung up: remote or local."}
	techReason     = field{"TechReason", text, "Technical cause, such as a SIP code."}
	detailedReason = field{"DetailedReason", text, "Why, in detail."}
	// RTE documents it as never null in some events and as nullable in others.
	techQueueID    = field{"TechQueueId", guidOrNone, "The technical queue at that moment, which may differ from the service queue."}
	techQueueName  = field{"TechQueueName", text, "Name of the technical queue."}
	techSource     = field{"TechSource", text, "Technical kind of the source."}
	connected      = field{"ConnectedTarget", text, "Target that is connected."}
	transferSource = field{"TransferSource", text, "Where the transfer comes from."}
	transferApplet = field{"TransferApplet", text, "Applet that transfers."}
	queueID        = field{"QueueId", guidOrNone, "The service queue, if there is one."}
	queueName      = field{"QueueName", text, "Name of the service queue."}
	maybeListID    = field{"CallListId", guidOrNone, "The call list, if there is one."}
	maybeBackID    = field{"CallBackId", guidOrNone, "The callback, if there is one."}
	wrapUpID       = field{"WrapUpId", guid, "The wrap-up."}
	wrapUpType     = field{"WrapUpType", code, "Kind of the wrap-up."}
	wrapUpLimit    = field{"MaxWrapUpDurationSec", integer, "Longest wrap-up, in seconds."}
	recordingID    = field{"RecordingId", guid, "The recording."}
	maybeRecording = field{"RecordingId", guidOrNone, "The recording, if there is one."}
)

// ofCall is an event of a user's call: which call, whose, what else, and the
// numbers on both ends.
func ofCall(name, doc string, more ...field) payload {
	fields := slices.Concat([]field{callID, legID, userID, organizationID}, more, []field{callerNumber, targetNumber, publicity})
	return payload{name: name, doc: doc, fields: fields, event: true}
}

func of(name, doc string, fields ...field) payload {
	return payload{name: name, doc: doc, fields: fields, event: true}
}

// wrapUp is an event of a user's wrap-up after a call.
func wrapUp(name, doc string, more ...field) payload {
	fields := []field{organizationID, maybeCallID, legID, userID, queueID, maybeListID, maybeBackID}
	return of(name, doc, slices.Concat(fields, more, []field{wrapUpType, wrapUpID})...)
}

func recording(name, doc string) payload {
	return of(name, doc, callID, organizationID, userID, recordingID,
		field{"ConversionId", guid, "The conversion of the recording."},
		field{"UserChannel", maybeByte, "Audio channel of the user."})
}

var userEvents = []payload{
	of("UserAlert", "An alert that the user set on a service pool went off.",
		field{"AlertId", guid, "The alert."}, userID, organizationID,
		field{"ConditionName", text, "Name of the condition that was met."},
		field{"ConditionValue", text, "Value that the condition asks for."},
		field{"ConditionExpression", text, "The condition as an expression."},
		field{"Value", text, "Value that met it."}),
	of("UserAvailability", "The user's availability as it is now.",
		userID, organizationID, userName,
		field{"ProfileId", guid, "The availability profile."},
		field{"Availability", text, "Available, Busy, DoNotDisturb, OffWork, BRB or Away."},
		field{"StartTime", instant, "Since when."},
		field{"EndTime", instant, "Until when."},
		field{"Note", text, "The user's own words."},
		field{"EventSource", text, "What set the availability."},
		field{"TransferNumber", text, "Number that calls go to meanwhile."}),
	of("UserCallAvailableForMonitoring", "A supervisor may listen to a new call of a user.",
		field{"TargetUserId", guid, "The user who is supervised."},
		field{"TargetUserName", text, "Name of the user who is supervised."},
		organizationID,
		field{"SupervisorUserId", guid, "The supervisor."},
		field{"SupervisorUserName", text, "Name of the supervisor."},
		queueName, queueID, callID, legID,
		field{"AgentLegId", text, "The forked leg to the agent."},
		field{"SupervisorTerminalNumber", text, "Number from which the supervisor is expected to call."},
		field{"SupervisionCallInNumber", text, "Number that the supervisor is to call."},
		field{"CallType", text, "servicecall, directcall or callout."},
		callerNumber,
		field{"ConnectedToAgentTime", instant, "When the agent got the call."}),
	ofCall("UserCallInArrived", "An inbound call that is now meant for this user enters allocation.", userName),
	of("UserCallInCallbackCreated", "A caller is to be called back by this user.",
		userID,
		field{"CallBackId", guid, "The callback."},
		field{"CallListId", guid, "The call list that it is on."},
		organizationID, maybeCallID, legID, maybeRecording,
		field{"ContactNumber", text, "Number to call back."},
		targetNumber,
		field{"ContactMessage", text, "Message that goes with it."},
		field{"CreationTime", instant, "When it was asked for."}),
	ofCall("UserCallInComing", "A direct call to this user reached the provider.", username),
	ofCall("UserCallInDisconnected", "An inbound call that was this user's has ended.",
		username, hangUp, techQueueID, techReason),
	of("UserCallInHoldEnd", "The user took an inbound call off hold.", callID, legID, userID, organizationID),
	of("UserCallInHoldStart", "The user put an inbound call on hold.", callID, legID, userID, organizationID),
	ofCall("UserCallInOverflow", "An inbound call that was this user's goes on to the next target.",
		username, connected, techSource, techQueueID, techQueueName,
		field{"OverflowApplet", text, "Applet that overflows."},
		field{"TechNumber", text, "Technical number of the source."},
		field{"TechEvent", text, "Technical name of the event."},
		field{"OverflowReason", text, "Why, such as NoAvailableProviders, QueueFull or UserActivelyDeclined."},
		field{"OverflowType", text, "How, such as QueueOverflowDefault or UserTransferAll."}),
	recording("UserCallInRecordingConverted", "The recording of an inbound direct call is ready."),
	ofCall("UserCallInTransferCancelled", "The transfer of an inbound call of this user was given up.",
		username, techQueueID, techQueueName, transferApplet, techSource, reason, detailedReason),
	ofCall("UserCallInTransferConnected", "The transfer of an inbound call of this user reached its target.",
		username, connected, transferSource, techQueueID, techQueueName, transferApplet, techSource),
	ofCall("UserCallInTransferStarted", "The transfer of an inbound call of this user began.",
		username, field{"TransferTarget", targets, "Where the call is to go."},
		transferSource, techQueueID, techQueueName, transferApplet, techSource),
	ofCall("UserCallInUserAllocated", "An inbound call was given to this user: it rings.",
		userName, userNumber, detailedReason),
	ofCall("UserCallInUserCancelled", "An inbound call was taken back from this user: it rings no more.",
		userName, reason, detailedReason),
	ofCall("UserCallInUserConnected", "This user answered an inbound call.",
		field{"AgentLegId", text, "The forked leg to the agent."}, userName, userNumber),
	ofCall("UserCallInUserOverflow", "A call to this user's own number goes elsewhere.",
		username,
		field{"Reason", text, "Why, such as DND, OffWork, NoAnswer or BusyOnBusy."},
		field{"Target", targets, "Where the call goes."}),
	ofCall("UserCallOutConnected", "An outbound call of this user was answered.", userName),
	ofCall("UserCallOutDisconnected", "An outbound call of this user has ended.", userName, hangUp, techReason),
	ofCall("UserCallOutGoing", "This user placed a call.",
		userName, field{"CallAsNumber", text, "Number shown instead of the user's own."}),
	of("UserCallOutHoldEnd", "The user took an outbound call off hold.", callID, legID, userID, organizationID),
	of("UserCallOutHoldStart", "The user put an outbound call on hold.", callID, legID, userID, organizationID),
	recording("UserCallOutRecordingConverted", "The recording of an outbound call is ready."),
	of("UserRealTimeTranscriptPhrase", "A phrase that was just spoken in a call, as text.",
		callID, legID, userID, organizationID, queueID, maybeListID,
		field{"SpeakerRole", code, "Who spoke."},
		field{"Phrase", text, "What was said."},
		field{"Confidence", number, "How sure the transcript is."},
		field{"Duration", unsigned, "Length of the phrase, in milliseconds."},
		field{"OffsetMilliseconds", unsigned, "Start of the phrase, from the start of the call."},
		field{"IsIntermediate", boolean, "Whether a better text may follow."},
		field{"RealtimeType", code, "Kind of the transcription."}),
	of("UserSetting", "A setting of the user changed.",
		userID, organizationID,
		field{"Keyword", text, "Which setting."},
		field{"Value", text, "Its value."},
		field{"Values", dictionary, "Its values by name."},
		field{"AllowedValues", dictionary, "The values it may take."},
		field{"Deleted", boolean, "Whether it was removed."},
		field{"Level", code, "Who may change it."}),
	of("UserStatus", "What the queues know of the user: serving, talking, free for the next call.",
		userID, organizationID,
		field{"CanBeAllocatedTo", boolean, "Whether a call could be given to the user; a best guess."},
		field{"Talking", boolean, "Whether the user has a call, also one that still rings."},
		field{"TalkingStatusChanged", maybeTime, "Since when Talking has its value."},
		field{"ActiveQueueId", guidOrNone, "The queue that the present call came through."},
		field{"ActiveCallListId", guidOrNone, "The call list that the present call came through."},
		field{"Available", boolean, "Whether the availability is Available."},
		field{"Schedule", boolean, "Whether the user is at work."},
		field{"Serving", boolean, "Whether the user serves in queues."},
		field{"ServiceTerminals", integer, "Terminals in service."},
		field{"ActiveQueues", integer, "Queues that are active."},
		field{"ParkedCalls", integer, "Calls that are parked."},
		field{"WrapUpStart", maybeTime, "Start of the present wrap-up."},
		field{"WrapUpEnd", maybeTime, "End of the present wrap-up."},
		field{"ServingCallback", boolean, "Whether the user serves in call lists."},
		field{"FetchMode", boolean, "Whether the user fetches calls and is given none."},
		field{"Note", text, "The user's own words."},
		field{"AvailabilityStatus", code, "The availability."}),
	of("UserSupervisionStatus", "The supervision of a call changed.",
		field{"TargetUserId", guid, "The user who is supervised."},
		field{"TargetUserName", text, "Name of the user who is supervised."},
		organizationID,
		field{"SupervisorUserId", guid, "The supervisor."},
		field{"SupervisorUserName", text, "Name of the supervisor."},
		queueName, queueID, callID, legID,
		field{"SupervisorLegId", text, "The supervisor's own leg, if there is one."},
		field{"State", code, "State of the supervision."}),
	{
		name: "UserTerminalStatusEvent", doc: "A terminal of the user came or went.", event: true,
		types: []string{"UserTerminalStatus", "UserTerminalStatusEvent"},
		fields: []field{
			userID, organizationID,
			{"Silo", text, "The silo that the terminal is on."},
			{"Session", text, "The terminal's session."},
			{"Expires", instant, "Until when this holds."},
			{"TerminalType", code, "Kind of the terminal."},
			{"TerminalStatus", code, "State of the terminal."},
		},
	},
	wrapUp("UserWrapUpEnabled", "A service call connected and will be followed by a wrap-up.", wrapUpLimit),
	of("UserWrapUpRequestInitiate", "A wrap-up is asked for, at once or when the present call ends.",
		field{"AllowWithoutCall", code, "Whether it may start without a call: 0 no, 1 yes, 2 only when there is none."},
		maybeBackID,
		field{"CallBackListId", guidOrNone, "The call list of the callback, if there is one."},
		maybeCallID, legID,
		field{"MaxWrapUpTimeSec", integer, "Longest wrap-up, in seconds."},
		organizationID, queueID, userID, wrapUpID),
	of("UserWrapUpRequestTerminate", "The user wants to end a wrap-up before its time.",
		userID, organizationID,
		field{"Reason", text, "Why: manual."},
		field{"WrapUpId", guidOrNone, "The wrap-up; none stands for whichever is running."}),
	wrapUp("UserWrapUpStarted", "The call ended and its wrap-up runs: no calls are given to the user.", wrapUpLimit),
	wrapUp("UserWrapUpTerminated", "A wrap-up ended, by itself or by request.",
		field{"Reason", text, "Why: manual or timer."},
		field{"ElapsedTimeSec", integer, "How long it lasted, in seconds."}),
}

var queueEvents = []payload{
	of("QueueStatus", "Counters of a service queue, sent from time to time while they change.",
		field{"QueueId", guid, "The queue."}, organizationID, queueName,
		field{"NbrOfProviders", integer, "Agents of the queue."},
		field{"NbrOfRequesters", integer, "Calls in the queue."},
		field{"NbrOfServingAgentsEstimate", integer, "Agents who serve, roughly."},
		field{"NbrOfAllocated", integer, "Calls given to an agent."},
		field{"NbrOfConnected", integer, "Calls that an agent answered."},
		field{"NbrOfQueuingRequesters", integer, "Calls that wait."},
		field{"NbrOfNotServedRequesters", integer, "Calls that no agent serves."},
		field{"NbrOfAgentsLongTermAway", integer, "Agents away for long, such as on do not disturb."},
		field{"NbrOfAgentsShortTermAway", integer, "Agents away for a moment, such as in a call."},
		field{"NbrOfAgentsImmediatelyFree", integer, "Agents free at once."},
		field{"NbrOfAgentsCheckedInQueue", integer, "Agents checked in, away or not."},
		field{"NbrOfAgentsOnWrapUp", integer, "Agents in wrap-up."},
		field{"NbrOfAgentsOnFetchMode", integer, "Agents who fetch their calls."},
		field{"MaxWaitTime", integer, "Longest present wait; its unit is not documented."},
		field{"OpenStatus", code, "Estimate: 0 unknown, 1 and 2 nobody handles the queue, 3 and 4 closed, 5 and 6 open; the even ones are uncertain."}),
}

var callListEvents = []payload{
	of("CallbackChanged", "A callback was created, changed or closed.",
		field{"CallBackId", guid, "The callback."},
		field{"CallListId", guid, "The call list that it is on."},
		organizationID,
		field{"Modified", instant, "When it changed."},
		field{"AssignedUserId", guidOrNone, "The user who is to call back."},
		field{"LastAttemptUserId", guidOrNone, "The user who tried last."},
		field{"LastModifiedUserId", guidOrNone, "The user who changed it last."},
		field{"LastAttemptTypeId", maybeInt, "Kind of the last attempt."},
		field{"ContactName", text, "Whom to call back."},
		field{"ContactNumber", text, "Number to call back."},
		field{"ContactMessage", text, "Message of the caller."},
		field{"Note", text, "Internal notes."},
		queueID,
		field{"ChannelIn", text, "Channel that it came through."},
		field{"CreationTime", instant, "When it was asked for."},
		field{"Created", boolean, "Whether it is new."},
		field{"IsClosed", boolean, "Whether it is done with."},
		maybeRecording,
		field{"TypeId", code, "Kind: 1 asked for, 2 an overflown call, 3 entered by hand."},
		field{"DueDate", maybeTime, "When it is due."},
		maybeCallID,
		field{"TranscriptId", guidOrNone, "Transcript of the recording."},
		field{"ClassificationId", guidOrNone, "Classification, once it has one."},
		field{"ExpiryDate", maybeTime, "When it lapses by itself."},
		field{"LastAttemptTimestamp", maybeTime, "When the last attempt was made."},
		field{"LastAttemptNote", text, "Note on the last attempt."},
		field{"CalculatedPriority", text, "Its priority."},
		field{"NotBefore", maybeTime, "Before this it is to be left alone."},
		field{"CallbackAttempts", attempts, "Every attempt so far."},
		field{"CallbackExtras", extras, "Further names and values."},
		field{"CallbackRelatedItems", related, "Callbacks that belong to it."}),
}

// rteObjects are the payloads that are no events.
var rteObjects = []payload{
	{name: "EntitySubscription", doc: "One item of what Subscribe and Unsubscribe are asked.", fields: []field{
		{"EntityId", guid, "Id of a user, a queue or a call list."},
		{"EventName", text, "Name of an event."},
	}},
	{name: "SubscriptionResult", doc: "The hub's answer to one item.", fields: []field{
		{"Subscribed", boolean, "Whether it took effect."},
		{"Message", text, "Why not: Invalid EntityId, Invalid event name or Unauthorized."},
		{"EntityId", text, "The id that was asked for, valid or not."},
		{"EventName", text, "The event name that was asked for, lower-cased."},
	}},
	{name: "Subscription", doc: "A subscription that holds for this connection.", fields: []field{
		{"Id", guidOrNone, "The subscription."},
		{"AllRootEntities", boolean, "Whether it spans every organization."},
		{"RootEntityId", guidOrNone, "The entity at the top: the organization."},
		{"RootEntityType", maybeCode, "Kind of the entity at the top."},
		{"OrganizationId", guidOrNone, "The organization."},
		{"EventType", maybeCode, "Name of the event; a number on old hubs."},
		{"EntityType", maybeCode, "Kind of the entity."},
		{"EntityId", guidOrNone, "The entity; that of the event may differ when all are subscribed."},
		{"AllEntities", boolean, "Whether it spans every entity of the kind."},
	}},
	{name: "QueueAttachedUser", doc: "A user as a member of a queue.", fields: []field{
		userID,
		{"Active", boolean, "Whether the user is active in the queue."},
		{"Priority", integer, "The user's priority in the queue."},
	}},
	{name: "QueueGroup", doc: "A group of queues.", fields: []field{
		{"Id", guidOrNone, "The group."},
		{"Name", text, "Its name."},
		{"Description", text, "What it is for."},
	}},
	{name: "CallbackAttempt", doc: "One attempt to call back.", fields: []field{
		{"Id", guid, "The attempt."},
		{"UserId", guidOrNone, "The user who tried."},
		{"Timestamp", maybeTime, "When."},
		{"CallbackAttemptTypeId", maybeInt, "Kind of its result."},
		{"Note", text, "The user's own words."},
		maybeRecording, maybeCallID,
	}},
	{name: "CallbackExtra", doc: "A further name and value of a callback.", fields: []field{
		{"Id", integer, "Number of the item."},
		{"Name", text, "Its name."},
		{"Value", text, "Its value."},
	}},
	{name: "CallbackRelatedItem", doc: "A callback that belongs to another.", fields: []field{
		{"Id", guid, "The other callback."},
		{"ListId", guidOrNone, "The call list that it is on."},
		{"IsClosed", boolean, "Whether it is done with."},
		{"StatusId", maybeInt, "Status of its last attempt."},
	}},
}
