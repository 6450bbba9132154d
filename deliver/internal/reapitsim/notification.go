package reapitsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	negotiatorShape = regexp.MustCompile(`^[A-Za-z0-9]{2,4}$`)
	numberShape     = regexp.MustCompile(`^\+?[0-9]{1,20}$`)
	subTypes        = []string{"incomingCall", "answeredCall", "endedCall", "missedCall"}
	withoutNumber   = []string{"unknown", "withheld", "anonymous"}
	answeredTypes   = []string{"answeredCall", "endedCall"}
	sandboxes       = []string{"SBOX", "SBXA"}
)

const sandboxUser = "ADV"

func (s *Sim) notify(x *exchange) answer {
	if !takesContentType(x.r.Header.Get("Content-Type")) {
		return apiError(s.now(), http.StatusUnsupportedMediaType, "The content type of the request is not supported")
	}
	var body any
	d := json.NewDecoder(bytes.NewReader(x.body))
	if d.Decode(&body) != nil || d.Decode(new(any)) != io.EOF {
		return apiError(s.now(), http.StatusBadRequest, "The request body is not valid JSON")
	}
	v := validator{knobs: x.knobs, customer: x.customer, known: s.negotiatorsOf(x.customer).ids()}
	v.notification(body)
	if v.errs != nil {
		return validationError(s.now(), x.knobs.ValidationStatus, v.errs)
	}
	s.journal.accept(x, s.now())
	return answer{status: http.StatusAccepted}
}

func takesContentType(header string) bool {
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && (kind == "application/json" || kind == "application/json-patch+json" ||
		strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// validator collects what is wrong with one notification.
type validator struct {
	knobs    Knobs
	customer string
	known    map[string]bool
	errs     []fieldError
}

func (v *validator) fail(field, format string, args ...any) {
	v.errs = append(v.errs, fieldError{field, fmt.Sprintf(format, args...)})
}

// object gives the members of a JSON object, and fails those that are not allowed.
func (v *validator) object(field string, value any, allowed ...string) (map[string]any, bool) {
	o, ok := value.(map[string]any)
	if !ok {
		v.fail(field, "must be an object")
		return nil, false
	}
	if v.knobs.ExtraProperties == reject {
		v.extra(field, o, allowed)
	}
	return o, true
}

func (v *validator) extra(field string, o map[string]any, allowed []string) {
	var extra []string
	for name := range o {
		if !slices.Contains(allowed, name) {
			extra = append(extra, name)
		}
	}
	slices.Sort(extra)
	for _, name := range extra {
		v.fail(strings.TrimPrefix(field+"."+name, "."), "is not expected here")
	}
}

// text gives a string member. Without one, it fails when the member is required or is something else.
func (v *validator) text(o map[string]any, parent, name string, required bool) (string, bool) {
	value, present := o[name]
	text, isText := value.(string)
	field := strings.TrimPrefix(parent+"."+name, ".")
	switch {
	case !present && required:
		v.fail(field, "is required")
	case present && !isText:
		v.fail(field, "must be a string")
	case present && text == "":
		v.fail(field, "must not be empty")
	}
	return text, isText && text != ""
}

func (v *validator) notification(body any) {
	o, ok := v.object("", body, "type", "subType", "products", "targets", "payload")
	if !ok {
		return
	}
	if kind, ok := v.text(o, "", "type", true); ok && kind != "telephony" {
		v.fail("type", "The enum value provided is incorrect")
	}
	subType, ok := v.text(o, "", "subType", true)
	if ok && !slices.Contains(subTypes, subType) {
		v.fail("subType", "The enum value provided is incorrect")
	}
	for _, product := range v.texts(o, "products", "products") {
		if product != "AgencyCloud" {
			v.fail("products", "%q is not a product that takes notifications", product)
		}
	}
	v.targets(o["targets"])
	v.payload(subType, o["payload"])
}

// texts gives an array of strings that must be there, hold something, and hold nothing twice.
func (v *validator) texts(o map[string]any, name, field string) []string {
	list, _ := o[name].([]any)
	if len(list) == 0 {
		v.fail(field, "must be an array with at least one string")
	}
	var texts []string
	for _, item := range list {
		text, ok := item.(string)
		switch {
		case !ok:
			v.fail(field, "must hold strings only")
		case slices.Contains(texts, text):
			v.fail(field, "holds %q twice", text)
		default:
			texts = append(texts, text)
		}
	}
	return texts
}

func (v *validator) targets(value any) {
	o, ok := v.object("targets", value, "negotiatorId")
	if !ok {
		return
	}
	for _, id := range v.texts(o, "negotiatorId", "targets.negotiatorId") {
		v.negotiator("targets.negotiatorId", id)
		if id == sandboxUser && slices.Contains(sandboxes, v.customer) {
			v.fail("targets.negotiatorId", "%s cannot be a target in the sandbox", sandboxUser)
		}
	}
}

func (v *validator) negotiator(field, id string) {
	switch {
	case !negotiatorShape.MatchString(id):
		v.fail(field, "%q is not a negotiator id", id)
	case v.knobs.UnknownTarget == reject && !v.known[id]:
		v.fail(field, "%q is not a negotiator of this customer", id)
	}
}

func (v *validator) payload(subType string, value any) {
	allowed := []string{"id", "created", "callerId", "destinationId", "huntGroup"}
	if slices.Contains(answeredTypes, subType) {
		allowed = append(allowed, "answeredById")
	}
	o, ok := v.object("payload", value, allowed...)
	if !ok {
		return
	}
	v.text(o, "payload", "id", false)
	v.created(o)
	v.numbers(o)
	if group, present := o["huntGroup"]; present {
		if _, ok := group.(bool); !ok {
			v.fail("payload.huntGroup", "must be a boolean")
		}
	}
	if slices.Contains(answeredTypes, subType) {
		if id, ok := v.text(o, "payload", "answeredById", false); ok {
			v.negotiator("payload.answeredById", id)
		}
	}
}

// created must be UTC: with Z, or without a zone where that is accepted.
func (v *validator) created(o map[string]any) {
	text, ok := v.text(o, "payload", "created", true)
	if !ok {
		return
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		if t.Location() != time.UTC || !strings.HasSuffix(text, "Z") {
			v.fail("payload.created", "must be in UTC")
		}
		return
	}
	if _, err := time.Parse("2006-01-02T15:04:05", text); err != nil {
		v.fail("payload.created", "must be an ISO 8601 date and time")
	} else if v.knobs.ZonelessCreated == reject {
		v.fail("payload.created", "must have a time zone designator")
	}
}

func (v *validator) numbers(o map[string]any) {
	if caller, ok := v.text(o, "payload", "callerId", true); ok &&
		!slices.Contains(withoutNumber, strings.ToLower(caller)) && !v.number(caller) {
		v.fail("payload.callerId", "must be digits and a leading plus, or withheld, unknown, anonymous")
	}
	if called, ok := v.text(o, "payload", "destinationId", v.knobs.MissingDestination == reject); ok && !v.number(called) {
		v.fail("payload.destinationId", "must be digits and a leading plus")
	}
}

func (v *validator) number(text string) bool {
	if v.knobs.CallerIDSpaces == accept {
		text = strings.ReplaceAll(text, " ", "")
	}
	return numberShape.MatchString(text)
}
