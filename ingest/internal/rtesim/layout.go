package rtesim

import "strings"

// layouts lists the fields of each event between the entity and the id, in the
// order and casing of the wire. An event whose messageTTLSeconds stands here
// has it here, as status events do; any other has it last.
var layouts = map[string]string{
	"UserAlert":                      "alertId userId organizationId conditionName conditionValue conditionExpression value",
	"UserAvailability":               "userId organizationId userName profileId availability startTime endTime note eventSource transferNumber",
	"UserCallAvailableForMonitoring": "targetUserId targetUserName organizationId supervisorUserId supervisorUserName queueName queueId callId legId agentLegId supervisorTerminalNumber supervisionCallInNumber callType callerNumber connectedToAgentTime",
	"UserCallInArrived":              "callId legId userId organizationId userName callerNumber targetNumber publicity",
	"UserCallInCallbackCreated":      "userId callBackId callListId organizationId callId legId recordingId contactNumber targetNumber contactMessage creationTime",
	"UserCallInComing":               "callId legId userId organizationId username callerNumber targetNumber publicity",
	"UserCallInDisconnected":         "callId legId userId organizationId username reason techQueueId techReason callerNumber targetNumber publicity",
	"UserCallInHoldEnd":              "callId legId userId organizationId",
	"UserCallInHoldStart":            "callId legId userId organizationId",
	"UserCallInOverflow":             "callId legId userId organizationId username connectedTarget techSource techQueueId techQueueName overflowApplet techNumber techEvent callerNumber targetNumber overflowReason overflowType publicity",
	"UserCallInRecordingConverted":   "callId organizationId userId recordingId conversionId userChannel",
	"UserCallInTransferCancelled":    "callId legId userId organizationId username techQueueId techQueueName transferApplet techSource reason detailedReason callerNumber targetNumber publicity",
	"UserCallInTransferConnected":    "callId legId userId organizationId username connectedTarget transferSource techQueueId techQueueName transferApplet techSource callerNumber targetNumber publicity",
	"UserCallInTransferStarted":      "callId legId userId organizationId username transferTarget transferSource techQueueId techQueueName transferApplet techSource callerNumber targetNumber publicity",
	"UserCallInUserAllocated":        "callId legId userId organizationId userName userNumber detailedReason callerNumber targetNumber publicity",
	"UserCallInUserCancelled":        "callId legId userId organizationId userName reason detailedReason callerNumber targetNumber publicity",
	"UserCallInUserConnected":        "callId legId agentLegId userId organizationId userName userNumber callerNumber targetNumber publicity",
	"UserCallInUserOverflow":         "callId legId userId organizationId username reason target callerNumber targetNumber publicity",
	"UserCallOutConnected":           "callId legId userId organizationId userName callerNumber targetNumber publicity",
	"UserCallOutDisconnected":        "callId legId userId organizationId userName reason techReason callerNumber targetNumber publicity",
	"UserCallOutGoing":               "callId legId userId organizationId userName callerNumber targetNumber callAsNumber publicity",
	"UserCallOutHoldEnd":             "callId legId userId organizationId",
	"UserCallOutHoldStart":           "callId legId userId organizationId",
	"UserCallOutRecordingConverted":  "callId organizationId userId recordingId conversionId userChannel",
	"UserRealTimeTranscriptPhrase":   "callId legId userId organizationId queueId callListId speakerRole phrase confidence duration offsetMilliseconds isIntermediate realtimeType",
	"UserSetting":                    "userId organizationId keyword value values allowedValues deleted level",
	"UserStatus":                     "messageTTLSeconds userId organizationId canBeAllocatedTo talking talkingStatusChanged activeQueueId activeCallListId available schedule serving serviceTerminals activeQueues parkedCalls wrapUpStart wrapUpEnd servingCallback fetchMode note availabilityStatus",
	"UserSupervisionStatus":          "targetUserId targetUserName organizationId supervisorUserId supervisorUserName queueName queueId callId legId supervisorLegId state",
	"UserTerminalStatus":             "userId organizationId silo session expires terminalType terminalStatus",
	"UserWrapUpEnabled":              "organizationId callId legId userId queueId callListId callBackId maxWrapUpDurationSec wrapUpType wrapUpId",
	"UserWrapUpRequestInitiate":      "userId organizationId queueId callId callBackListId callBackId maxWrapUpTimeSec wrapUpId",
	"UserWrapUpRequestTerminate":     "userId organizationId reason wrapUpId",
	"UserWrapUpStarted":              "organizationId callId legId userId queueId callListId callBackId maxWrapUpDurationSec wrapUpType wrapUpId",
	"UserWrapUpTerminated":           "organizationId callId legId userId queueId callListId callBackId reason elapsedTimeSec wrapUpType wrapUpId",
	"QueueStatus":                    "messageTTLSeconds queueId organizationId queueName nbrOfProviders nbrOfRequesters nbrOfServingAgentsEstimate nbrOfAllocated nbrOfConnected nbrOfQueuingRequesters nbrOfNotServedRequesters nbrOfAgentsLongTermAway nbrOfAgentsShortTermAway nbrOfAgentsImmediatelyFree nbrOfAgentsCheckedInQueue nbrOfAgentsOnWrapUp nbrOfAgentsOnFetchMode maxWaitTime openStatus",
	"CallbackChanged":                "messageTTLSeconds callBackId callListId organizationId modified assignedUserId lastAttemptUserId lastModifiedUserId lastAttemptTypeId contactName contactNumber contactMessage note queueId channelIn creationTime created isClosed recordingId typeId dueDate callId transcriptId classificationId expiryDate lastAttemptTimestamp lastAttemptNote calculatedPriority notBefore callbackAttempts callbackExtras callbackRelatedItems",
}

// Layouts of events that nothing is known of.
const (
	userCallLayout  = "callId legId userId organizationId userName callerNumber targetNumber publicity"
	queueCallLayout = "callId legId queueId queueName userId organizationId userName callerNumber targetNumber publicity"
	otherLayout     = "organizationId"
)

func layoutOf(eventType string) []string {
	layout, known := layouts[eventType]
	if !known {
		layout = guessedLayout(strings.ToLower(eventType))
	}
	return strings.Fields(layout)
}

func guessedLayout(eventType string) string {
	switch {
	case strings.HasPrefix(eventType, "usercall"):
		return userCallLayout
	case strings.HasPrefix(eventType, "queuecall"):
		return queueCallLayout
	default:
		return otherLayout
	}
}

const zeroGUID = `"00000000-0000-0000-0000-000000000000"`

// What a field says when nobody says otherwise. A field that is listed nowhere
// is null.
var fieldDefaults = map[string]string{
	"messagettlseconds": `-1`, "publicity": `0`,
	"reason": `""`, "detailedreason": `""`, "techreason": `"16"`,
	"techqueuename": `""`, "techsource": `""`, "technumber": `""`, "techevent": `""`,
	"transferapplet": `""`, "transfersource": `""`, "transfertarget": `""`, "connectedtarget": `""`, "target": `""`,
	"overflowapplet": `""`, "overflowreason": `"UserActivelyDeclined"`, "overflowtype": `"UserTransferAll"`,
	"contactname": `""`, "contactmessage": `""`, "note": `""`, "keyword": `""`, "value": `""`, "level": `"Undefined"`,
	"availability": `"Available"`, "availabilitystatus": `"Available"`, "eventsource": `""`,
	"starttime": `"0001-01-01T00:00:00"`, "endtime": `"9999-12-31T23:59:59.9999999"`, "expires": `"0001-01-01T00:00:00"`,
	"canbeallocatedto": `true`, "talking": `false`, "available": `true`, "schedule": `true`, "serving": `true`,
	"serviceterminals": `1`, "activequeues": `1`, "parkedcalls": `0`, "servingcallback": `false`, "fetchmode": `false`,
	"nbrofproviders": `0`, "nbrofrequesters": `0`, "nbrofservingagentsestimate": `0`, "nbrofallocated": `0`,
	"nbrofconnected": `0`, "nbrofqueuingrequesters": `0`, "nbrofnotservedrequesters": `0`,
	"nbrofagentslongtermaway": `0`, "nbrofagentsshorttermaway": `0`, "nbrofagentsimmediatelyfree": `0`,
	"nbrofagentscheckedinqueue": `0`, "nbrofagentsonwrapup": `0`, "nbrofagentsonfetchmode": `0`,
	"maxwaittime": `0`, "openstatus": `0`, "typeid": `0`, "created": `true`, "isclosed": `false`, "deleted": `false`,
	"speakerrole": `0`, "confidence": `0.0`, "duration": `0`, "offsetmilliseconds": `0`, "isintermediate": `false`,
	"realtimetype": `"Unknown"`, "state": `0`, "wrapuptype": `"Unavailable"`, "maxwrapupdurationsec": `0`,
	"maxwrapuptimesec": `0`, "elapsedtimesec": `0`, "terminaltype": `"User"`, "terminalstatus": `"Offline"`,
	"silo": `"Silo00"`, "session": `""`, "phrase": `""`, "calltype": `"directcall"`,
}

// Where an event differs from the rest.
var eventDefaults = map[string]map[string]string{
	"UserStatus":                  {"messagettlseconds": `60`},
	"QueueStatus":                 {"messagettlseconds": `60`},
	"CallbackChanged":             {"messagettlseconds": `120`},
	"UserCallInDisconnected":      {"reason": `"remote"`},
	"UserCallOutDisconnected":     {"reason": `"local"`},
	"QueueCallInDisconnected":     {"reason": `"remote"`},
	"UserCallInUserOverflow":      {"reason": `"NoAnswer"`},
	"UserCallInOverflow":          {"techqueueid": zeroGUID},
	"UserCallInTransferStarted":   {"techqueueid": zeroGUID},
	"UserCallInTransferConnected": {"techqueueid": zeroGUID},
	"UserCallInTransferCancelled": {"techqueueid": zeroGUID},
}

// Fields that get an id of their own in every event.
var ownID = map[string]bool{
	"recordingid": true, "conversionid": true, "alertid": true, "profileid": true, "wrapupid": true,
	"callbackid": true, "calllistid": true,
}
