package hub

import (
	"errors"
	"testing"

	"github.com/philippseith/signalr"
)

// The library's results of one invocation come in either order.
func TestAnswerIsReadInAnyOrderOfResults(t *testing.T) {
	value, none := signalr.InvokeResult{Value: []any{"UserStatus"}}, signalr.InvokeResult{}
	for name, c := range map[string]struct {
		results []signalr.InvokeResult
		want    string
		err     bool
	}{
		"value first":         {[]signalr.InvokeResult{value, none}, `["UserStatus"]`, false},
		"absent error first":  {[]signalr.InvokeResult{none, value}, `["UserStatus"]`, false},
		"refused":             {[]signalr.InvokeResult{{Error: errors.New("no")}}, "", true},
		"refused, after none": {[]signalr.InvokeResult{none, {Error: errors.New("no")}}, "", true},
		"nothing to return":   {[]signalr.InvokeResult{none}, "null", false},
		"closed at once":      {nil, "null", false},
	} {
		t.Run(name, func(t *testing.T) {
			results := make(chan signalr.InvokeResult, len(c.results))
			for _, r := range c.results {
				results <- r
			}
			close(results)
			for {
				r, more := <-results
				answer, done, err := answerOf(r, more)
				if !done {
					continue
				}
				if string(answer) != c.want || (err != nil) != c.err {
					t.Fatalf("got %s, %v", answer, err)
				}
				return
			}
		})
	}
}
