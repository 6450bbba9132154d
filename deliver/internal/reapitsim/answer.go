package reapitsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

const (
	textVersion      = "HTTP resource requires that requests are issued with a 'api-version' header containing a UTC version date. Format: yyyy-MM-dd'"
	textCredentials  = "The request cannot be fulfilled because it lacks the authentication credentials required to access the resource. Please generate a new access token and try again."
	textNotInstalled = "The request could not be fulfilled as the reapit customer specified by the provided credentials does not have the application installed."
	textUnlisted     = "The request could not be fulfilled because the application associated with the request could not be located in the Reapit Foundations Marketplace. Please generate a new access token with the correct credentials."
	textScope        = "This application has not been granted the required scope to interact with this endpoint. If your application requires access to this resource, please use the Reapit Foundations Developer portal to request permission to access this resource"
	textConcurrency  = "Concurrent request limit exceeded. Please ensure that no more than 5 requests are actively being fulfilled on behalf of your application at any given time"
	textUnexpected   = "An unexpected error has been encountered when fulfilling this request. This incident has been logged and will be investigated. Please try again."
	textValidation   = "One or more validation failures have occurred. Please refer to Errors list for details"
	textTimeout      = "Endpoint request timed out"
	textRate         = "Request rate limit exceeded"
	textDaily        = "Daily request limit exceeded"

	jsonType      = "application/json; charset=utf-8"
	dateTimeShape = "2006-01-02T15:04:05.0000000Z"
)

// answer is a response before it is written, so that faults can change it.
type answer struct {
	status int
	header map[string]string
	body   []byte
	pause  time.Duration // between the bytes of a slow body
}

type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

type errorBody struct {
	Errors      []fieldError `json:"errors,omitempty"`
	StatusCode  int          `json:"statusCode"`
	DateTime    string       `json:"dateTime"`
	Description string       `json:"description"`
}

// pascalBody is how the concurrency limit answers, unlike everything else.
type pascalBody struct {
	StatusCode  int
	DateTime    string
	Description string
}

func jsonAnswer(status int, body any) answer {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // links have ampersands
	if err := e.Encode(body); err != nil {
		return answer{status: http.StatusInternalServerError, body: []byte(err.Error())}
	}
	return answer{status: status, header: map[string]string{"Content-Type": jsonType}, body: bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
}

func apiError(now time.Time, status int, description string) answer {
	return jsonAnswer(status, errorBody{StatusCode: status, DateTime: dateTime(now), Description: description})
}

func validationError(now time.Time, status int, errs []fieldError) answer {
	return jsonAnswer(status, errorBody{Errors: errs, StatusCode: status, DateTime: dateTime(now), Description: textValidation})
}

func pascalError(now time.Time, status int, description string) answer {
	return jsonAnswer(status, pascalBody{status, dateTime(now), description})
}

// gatewayMessage is the shape of answers that never reached the platform.
func gatewayMessage(status int, message string) answer {
	return jsonAnswer(status, map[string]string{"message": message})
}

func limitError(now time.Time, why refusal, k Knobs) answer {
	text := map[refusal]string{refusedConcurrency: textConcurrency, refusedRate: textRate, refusedDaily: textDaily}[why]
	if k.LimitBody == "camel" {
		return apiError(now, http.StatusTooManyRequests, text)
	}
	return pascalError(now, http.StatusTooManyRequests, text)
}

func dateTime(t time.Time) string { return t.UTC().Format(dateTimeShape) }

func (x *exchange) write(a answer) {
	x.status = a.status
	for k, v := range a.header {
		x.w.Header()[k] = []string{v}
	}
	x.w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	x.w.WriteHeader(a.status)
	if a.pause == 0 || len(a.body) == 0 {
		x.end()
		_, _ = x.w.Write(a.body) // a client that left is seen by its context
		return
	}
	x.drip(a)
}

// end comes before the last byte: whoever has that may ask again at once.
func (x *exchange) end() {
	if x.over != nil {
		x.over()
	}
}

// drip writes a byte at a time until the client is gone.
func (x *exchange) drip(a answer) {
	out := http.NewResponseController(x.w)
	tick := time.NewTicker(a.pause)
	defer tick.Stop()
	for i, b := range a.body {
		if i == len(a.body)-1 {
			x.end()
		}
		if _, err := x.w.Write([]byte{b}); err != nil {
			return
		}
		_ = out.Flush()
		select {
		case <-tick.C:
		case <-x.r.Context().Done():
			return
		}
	}
}
